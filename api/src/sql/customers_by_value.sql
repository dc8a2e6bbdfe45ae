-- Scans the index customer_value (tenant_id, band, value_minor, customer_id) backward.
select
    customer_id,
    value_minor,
    last_seen_at,
    evaluated_at
from customer
where tenant_id = $1
  and band = $2::smallint
  and value_minor is not null
  and value_minor <= $3
  and ($4::text is null or value_minor < $3 or customer_id < $4)
order by value_minor desc, customer_id desc
limit $5
