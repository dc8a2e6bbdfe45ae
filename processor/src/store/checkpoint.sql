-- A partition that was rewound passes an offset again and finds its row: the fold is
-- deterministic, but the later one is what the tables now hold.
insert into checkpoint (tenant_id, partition, next_offset, customers, digest)
select tenant_id, $1, $2, customers, digest
from unnest($3::text[], $4::bigint[], $5::bytea[]) as now (tenant_id, customers, digest)
on conflict (tenant_id, partition, next_offset) do update
set customers = excluded.customers,
    digest    = excluded.digest
