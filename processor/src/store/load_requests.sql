-- The operator commands for the next parked events of a partition; of several for one event the first.
-- The event may be gone: folded or discarded since. Key by key, as load_customers.sql says.
select *
from (
    select asked.request, asked.action, asked."offset", found."offset" is null as gone,
           found.tenant_id, found.customer_id, found.reason, found.detail, found.field, found.key,
           found.value, found.headers, found.appended_at, found.source,
           sum(octet_length(found.value)) over (
               order by asked."offset" rows between unbounded preceding and 1 preceding
           ) as bytes_before
    from (
        select distinct on ("offset") request, action, "offset"
        from parked_request
        where topic = $1
          and partition = $2
          and outcome is null
          and "offset" > $3
        order by "offset", requested_at, request
        limit $4
    ) as asked
    left join lateral (
        select *
        from parked
        where parked.topic = $1
          and parked.partition = $2
          and parked."offset" = asked."offset"
        limit 1
    ) as found on true
) as next
where bytes_before is null
   or bytes_before < $5
order by "offset"
