select "offset", tenant_id, customer_id, reason, detail, field, key, value, headers, appended_at,
       source
from parked
where topic = $1
  and partition = $2
  and reason = $3
  and tenant_id = $4
  and "offset" > $5
order by "offset"
limit $6
