insert into customer (
    tenant_id, customer_id, partition, state, first_seen_at, last_seen_at, band
)
select touched.tenant_id, touched.customer_id, ?, touched.state, touched.first_seen_at,
       touched.last_seen_at, touched.band
from unnest(?::text[], ?::text[], ?::bytea[], ?::bigint[], ?::bigint[], ?::smallint[])
    as touched (tenant_id, customer_id, state, first_seen_at, last_seen_at, band)
on conflict (tenant_id, customer_id) do update
set partition     = excluded.partition,
    state         = excluded.state,
    first_seen_at = excluded.first_seen_at,
    last_seen_at  = excluded.last_seen_at,
    band          = excluded.band
