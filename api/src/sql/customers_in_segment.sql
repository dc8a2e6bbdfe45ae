-- Scans the primary key of membership and filters each row by band, if one is given. `limit 1`
-- keeps the planner from a merge join, which would start at the first row of both tables.
select
    found.customer_id,
    found.first_seen_at,
    found.last_seen_at,
    found.band,
    found.evaluated_at
from membership
cross join lateral (
    select *
    from customer
    where customer.tenant_id = $1
      and customer.customer_id = membership.customer_id
      and ($4::smallint is null or customer.band = $4)
    limit 1
) as found
where membership.tenant_id = $1
  and membership.customer_id > $2
  and membership.segment = $5
order by membership.customer_id
limit $3
