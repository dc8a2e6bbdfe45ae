select due_at, tenant_id, customer_id
from timer
where partition = $1
  and (due_at, tenant_id, customer_id) > ($2, $3, $4)
order by due_at, tenant_id, customer_id
limit $5
