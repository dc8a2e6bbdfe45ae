-- A segment's members by customer id. `limit 1` keeps the planner from a merge join, which would
-- start at the first row of both tables.
select
    membership.customer_id,
    membership.since,
    found.definition_version as version -- of the definitions of the last evaluation
from membership
cross join lateral (
    select definition_version
    from customer
    where customer.tenant_id = $1
      and customer.customer_id = membership.customer_id
    limit 1
) as found
where membership.tenant_id = $1
  and membership.customer_id > $2
  and membership.segment = $4
order by membership.customer_id
limit $3
