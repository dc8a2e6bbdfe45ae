-- Along position_stage (tenant_id, journey, stage, customer_id).
select
    customer.customer_id,
    customer.first_seen_at,
    customer.last_seen_at,
    customer.band,
    customer.evaluated_at
from position
join customer
    on customer.tenant_id = position.tenant_id
    and customer.customer_id = position.customer_id
where position.tenant_id = $1
  and customer.tenant_id = $1
  and position.customer_id > $2
  and ($4::smallint is null or customer.band = $4)
  and position.journey = $5
  and position.stage = $6
order by position.customer_id
limit $3
