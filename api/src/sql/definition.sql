-- One version of a tenant's definitions.
select
    appended_at,
    format,
    definition
from tidemark.tenant_definition
where tenant_id = $1
  and version = $2
