-- The operator commands for the next parked events of a partition; of several for one event the first.
-- The event may be gone: folded or discarded since. Key by key, as load_customers.sql says.
select asked.request, asked.action, asked."offset", found."offset" is null as gone,
       found.tenant_id, found.customer_id, found.reason, found.detail, found.field, found.key,
       found.value, found.headers, found.appended_at
from (
    select distinct on ("offset") request, action, "offset"
    from parked_request
    where topic = $1
      and partition = $2
      and outcome is null
    order by "offset", requested_at, request
    limit $3
) as asked
left join lateral (
    select *
    from parked
    where parked.topic = $1
      and parked.partition = $2
      and parked."offset" = asked."offset"
    limit 1
) as found on true
order by asked."offset"
