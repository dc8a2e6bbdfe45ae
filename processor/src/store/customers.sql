-- Last state of each customer touched. In an update only `band` and `value_minor` are in an index, and
-- they change rarely, so most updates are HOT.
insert into customer (
    tenant_id, customer_id, partition, state, evaluated, evaluated_at, definition_version,
    first_seen_at, last_seen_at, band, tracked, value_minor
)
select tenant_id, customer_id, $1, state, evaluated, evaluated_at, definition_version,
       first_seen_at, last_seen_at, band, tracked, value_minor
from unnest(
    $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::smallint[], $11::bytea[], $12::bigint[]
) as touched (
    tenant_id, customer_id, state, evaluated, evaluated_at, definition_version, first_seen_at,
    last_seen_at, band, tracked, value_minor
)
on conflict (tenant_id, customer_id) do update
set partition          = excluded.partition,
    state              = excluded.state,
    evaluated          = excluded.evaluated,
    evaluated_at       = excluded.evaluated_at,
    definition_version = excluded.definition_version,
    first_seen_at      = excluded.first_seen_at,
    last_seen_at       = excluded.last_seen_at,
    band               = excluded.band,
    tracked            = excluded.tracked,
    value_minor        = excluded.value_minor
