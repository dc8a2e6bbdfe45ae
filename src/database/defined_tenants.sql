select distinct tenant_id from tidemark.tenant_definition order by tenant_id
