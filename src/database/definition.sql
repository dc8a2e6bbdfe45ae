-- A tenant's definitions as of a version.
select version, appended_at, format, definition
from tidemark.tenant_definition
where tenant_id = $1 and version <= $2 and definition is not null
order by version desc
limit 1
