-- Last state of each customer touched. In an update only `band` and `worth` are in an index, and
-- they change rarely, so most updates are HOT.
insert into customer (
    tenant_id, customer_id, partition, state, standing, evaluated_at, definition_version,
    first_seen_at, last_seen_at, band, tracked, worth
)
select tenant_id, customer_id, $1, state, standing, evaluated_at, definition_version,
       first_seen_at, last_seen_at, band, tracked, worth
from unnest(
    $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::smallint[], $11::bytea[], $12::bigint[]
) as touched (
    tenant_id, customer_id, state, standing, evaluated_at, definition_version, first_seen_at,
    last_seen_at, band, tracked, worth
)
on conflict (tenant_id, customer_id) do update
set partition          = excluded.partition,
    state              = excluded.state,
    standing           = excluded.standing,
    evaluated_at       = excluded.evaluated_at,
    definition_version = excluded.definition_version,
    first_seen_at      = excluded.first_seen_at,
    last_seen_at       = excluded.last_seen_at,
    band               = excluded.band,
    tracked            = excluded.tracked,
    worth              = excluded.worth
