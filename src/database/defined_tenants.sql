select tenant_id
from (
    select distinct on (tenant_id) tenant_id, definition
    from tidemark.tenant_definition
    order by tenant_id, version desc
) as newest
where definition is not null
order by tenant_id
