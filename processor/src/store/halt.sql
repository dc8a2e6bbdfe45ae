-- Tenants halted with this batch.
insert into halt (tenant_id, partition, "offset", parked, records)
select tenant_id, $1, "offset", parked, records
from unnest($2::text[], $3::bigint[], $4::int[], $5::int[])
    as halted (tenant_id, "offset", parked, records)
on conflict (tenant_id, partition) do update
set "offset"  = excluded."offset",
    parked    = excluded.parked,
    records   = excluded.records,
    halted_at = now(),
    resume_by = null
