-- The late events accepted before a version, and since the tenant was offboarded.
select accepted.tenant_id, accepted.event_id
from tidemark.accepted_late as accepted
where accepted.version < $1
  and not exists (
      select from tidemark.tenant_definition as offboarded
      where offboarded.tenant_id = accepted.tenant_id
        and offboarded.definition is null
        and offboarded.version > accepted.version
        and offboarded.version < $1
  )
