select distinct tenant_id
from parked
where topic = $1
  and partition = $2
  and reason = $3
  and tenant_id is not null
order by tenant_id
