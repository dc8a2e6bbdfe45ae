-- Scans the index position_stage (tenant_id, journey, stage, customer_id) and filters each row by
-- band, if one is given. `limit 1` keeps the planner from a merge join, which would start at the
-- first row of both tables.
select
    found.customer_id,
    found.first_seen_at,
    found.last_seen_at,
    found.band,
    found.evaluated_at
from position
cross join lateral (
    select *
    from customer
    where customer.tenant_id = $1
      and customer.customer_id = position.customer_id
      and ($4::smallint is null or customer.band = $4)
    limit 1
) as found
where position.tenant_id = $1
  and position.customer_id > $2
  and position.journey = $5
  and position.stage = $6
order by position.customer_id
limit $3
