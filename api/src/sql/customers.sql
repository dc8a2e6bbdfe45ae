-- A tenant's customers by id. Compares plain columns, not rows: under row-level security a row
-- comparison does not use the index.
select
    customer_id,
    first_seen_at,
    last_seen_at,
    band,
    evaluated_at
from customer
where tenant_id = $1
  and customer_id > $2
order by customer_id
limit $3
