-- Records an operator command for parked events, which the owners of the partitions apply, and the
-- operator in the audit: one row per event, with action and reason. The tenant of an unreadable event
-- is ''. Key by key, as load_customers.sql says.
with requested as (
    insert into parked_request (
        request, topic, partition, "offset", tenant_id, action, subject, note
    )
    select $1, found.topic, found.partition, found."offset", found.tenant_id, $2, $3, $4
    from unnest($6::int[], $7::bigint[]) as wanted (partition, "offset")
    cross join lateral (
        select topic, partition, "offset", tenant_id
        from parked
        where parked.topic = $5
          and parked.partition = wanted.partition
          and parked."offset" = wanted."offset"
        limit 1
    ) as found
    returning topic, partition, "offset", tenant_id
)
insert into tidemark.audit (tenant_id, subject, role, action, target, request_id)
select coalesce(tenant_id, ''), $3, 'operator', $8,
       concat(topic, '/', partition, '@', "offset", ': ' || $4::text), $1::uuid::text
from requested
