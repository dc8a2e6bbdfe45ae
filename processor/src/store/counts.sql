-- Counters by their deltas; digests as they now are.
with counted as (
    insert into counter (tenant_id, kind, name, partition, value)
    select tenant_id, kind, name, $1, delta
    from unnest($2::text[], $3::text[], $4::text[], $5::bigint[])
        as deltas (tenant_id, kind, name, delta)
    on conflict (tenant_id, kind, name, partition) do update
    set value = counter.value + excluded.value
)
insert into digest (tenant_id, partition, customers, events, digest)
select tenant_id, $1, customers, events, digest
from unnest($6::text[], $7::bigint[], $8::bigint[], $9::bytea[])
    as now (tenant_id, customers, events, digest)
on conflict (tenant_id, partition) do update
set customers = excluded.customers,
    events    = excluded.events,
    digest    = excluded.digest
