-- Scopes deferred with this batch, or caught up further.
insert into deferral (partition, tenant_id, customer_id, reason, detail, from_offset, next_offset, clock, fired_to,
                      definitions, evaluation, events, tracked, redefined_at, binary_version)
select $1, tenant_id, customer_id, reason, detail, from_offset, next_offset, clock, fired_to,
       definitions, evaluation, events,
       tracked::json, redefined_at, binary_version
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::int[], $12::bigint[], $13::text[], $14::bigint[], $15::text[])
    as deferred (tenant_id, customer_id, reason, detail, from_offset, next_offset, clock, fired_to,
                 definitions, evaluation, events, tracked, redefined_at, binary_version)
on conflict (partition, tenant_id, customer_id) do update
set reason         = excluded.reason,
    detail         = excluded.detail,
    next_offset    = excluded.next_offset,
    clock          = excluded.clock,
    fired_to       = excluded.fired_to,
    definitions    = excluded.definitions,
    evaluation     = excluded.evaluation,
    events         = excluded.events,
    tracked        = excluded.tracked,
    redefined_at   = excluded.redefined_at,
    binary_version = excluded.binary_version
