-- The bytes of parked events as they now are; a tenant without any has no row.
with emptied as (
    delete from parked_bytes
    where partition = $1
      and tenant_id = any ($2::text[])
)
insert into parked_bytes (tenant_id, partition, bytes)
select tenant_id, $1, bytes
from unnest($3::text[], $4::bigint[]) as held (tenant_id, bytes)
on conflict (tenant_id, partition) do update
set bytes = excluded.bytes
