-- The last offboarding of each tenant before a version.
select distinct on (tenant_id) tenant_id, version, appended_at
from tidemark.tenant_definition
where version < $1
  and definition is null
order by tenant_id, version desc
