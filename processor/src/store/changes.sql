-- Without `on conflict`: a sequence given twice is a bug that must not pass.
insert into change (
    partition, seq, id, tenant_id, customer_id, kind, name, from_value, to_value, effective_at,
    cause, cause_event_id, definition_version
)
select $1, seq, id, tenant_id, customer_id, kind, name, from_value, to_value, effective_at,
       cause, cause_event_id, definition_version
from unnest(
    $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::bigint[], $11::text[], $12::uuid[], $13::bigint[]
) as happened (
    seq, id, tenant_id, customer_id, kind, name, from_value, to_value, effective_at, cause,
    cause_event_id, definition_version
)
