-- The customers of load_tenant_customers.sql by their keys alone, where a row of one cannot be read.
select tenant_id, customer_id
from customer
where partition = $1
  and tenant_id = $2
  and customer_id > $3
order by customer_id
limit $4
