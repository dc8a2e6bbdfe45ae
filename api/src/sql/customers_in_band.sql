-- Scans the index customer_band (tenant_id, band, customer_id).
select
    customer_id,
    first_seen_at,
    last_seen_at,
    band,
    evaluated_at
from customer
where tenant_id = $1
  and customer_id > $2
  and band = $4::smallint
order by customer_id
limit $3
