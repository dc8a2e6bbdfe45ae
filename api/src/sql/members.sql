-- A segment's members by customer id.
select
    customer_id,
    since,
    version                             -- of the definitions it was last computed with
from membership
where tenant_id = $1
  and customer_id > $2
  and segment = $4
order by customer_id
limit $3
