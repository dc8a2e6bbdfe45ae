-- Events that are not parked any more, then newly parked ones. An event parked again for another
-- reason is only in the second set and keeps its place.
with folded as (
    delete from parked
    -- Key by key, as load_customers.sql says; only the owner of the partition moves these rows.
    where ctid = any (array(
        select found.ctid
        from unnest($3::bigint[]) as was_parked ("offset")
        cross join lateral (
            select ctid
            from parked
            where parked.topic = $1
              and parked.partition = $2
              and parked."offset" = was_parked."offset"
            limit 1
        ) as found
    ))
)
insert into parked (
    topic, partition, "offset", tenant_id, customer_id, reason, detail, field, key, value, headers,
    appended_at, source
)
select $1, $2, "offset", tenant_id, customer_id, reason, detail, field, key, value, headers,
       appended_at, source
from unnest(
    $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[],
    $11::bytea[], $12::bytea[], $13::bigint[], $14::text[]
) as fresh (
    "offset", tenant_id, customer_id, reason, detail, field, key, value, headers, appended_at, source
)
on conflict (topic, partition, "offset") do update
set tenant_id   = excluded.tenant_id,
    customer_id = excluded.customer_id,
    source      = excluded.source,
    reason      = excluded.reason,
    detail      = excluded.detail,
    field       = excluded.field
