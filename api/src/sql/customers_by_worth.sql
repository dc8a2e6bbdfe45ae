-- Backward along customer_worth (tenant_id, band, worth, customer_id).
select
    customer_id,
    worth,
    last_seen_at,
    evaluated_at
from customer
where tenant_id = $1
  and band = $2::smallint
  and worth is not null
  and worth <= $3
  and ($4::text is null or worth < $3 or customer_id < $4)
order by worth desc, customer_id desc
limit $5
