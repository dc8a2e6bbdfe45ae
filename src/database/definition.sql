-- What of a tenant was in force under a version of the definitions.
select version, appended_at, definition
from tidemark.tenant_definition
where tenant_id = $1 and version <= $2
order by version desc
limit 1
