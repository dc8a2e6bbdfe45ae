-- Rollups by their deltas, which come as text: they may be larger than a bigint.
insert into rollup (tenant_id, kind, subject, day, item, detail, currency, partition, value)
select tenant_id, kind, subject, day, item, detail, currency, $1, delta::numeric
from unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[],
            $9::text[])
    as deltas (tenant_id, kind, subject, day, item, detail, currency, delta)
on conflict (tenant_id, kind, subject, day, item, detail, currency, partition) do update
set value = rollup.value + excluded.value
