select customer_id, state
from customer
where tenant_id = $1 and customer_id > $2
order by customer_id
limit $3
