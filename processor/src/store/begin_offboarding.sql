-- Begins to erase tenants' rows of a partition. Counts and the like go at once: what is counted from here on is
-- not of the rows that are erased.
with offboarded as (
    select tenant_id, version
    from unnest($2::text[], $3::bigint[]) as offboarded (tenant_id, version)
), erased as (
    delete from counter using offboarded
    where counter.tenant_id = offboarded.tenant_id and counter.partition = $1
    returning counter.tenant_id
), erased_digests as (
    delete from digest using offboarded
    where digest.tenant_id = offboarded.tenant_id and digest.partition = $1
    returning digest.tenant_id
), erased_checkpoints as (
    delete from checkpoint using offboarded
    where checkpoint.tenant_id = offboarded.tenant_id and checkpoint.partition = $1
    returning checkpoint.tenant_id
), erased_leaves as (
    delete from tracked_leaf using offboarded
    where tracked_leaf.tenant_id = offboarded.tenant_id and tracked_leaf.partition = $1
    returning tracked_leaf.tenant_id
), erased_reevaluations as (
    delete from reevaluation using offboarded
    where reevaluation.tenant_id = offboarded.tenant_id and reevaluation.partition = $1
    returning reevaluation.tenant_id
), erased_large as (
    delete from large_customer using offboarded
    where large_customer.tenant_id = offboarded.tenant_id and large_customer.partition = $1
    returning large_customer.tenant_id
), erased_bytes as (
    delete from parked_bytes using offboarded
    where parked_bytes.tenant_id = offboarded.tenant_id and parked_bytes.partition = $1
    returning parked_bytes.tenant_id
), "all" as (
    select tenant_id from erased
    union all select tenant_id from erased_digests
    union all select tenant_id from erased_checkpoints
    union all select tenant_id from erased_leaves
    union all select tenant_id from erased_reevaluations
    union all select tenant_id from erased_large
    union all select tenant_id from erased_bytes
)
insert into offboarding (tenant_id, partition, version, next_offset, "rows")
select tenant_id, $1, version, $4, (select count(*) from "all" where "all".tenant_id = offboarded.tenant_id)
from offboarded
on conflict (tenant_id, partition) do update
set version     = excluded.version,
    next_offset = excluded.next_offset,
    customers   = 0,
    "rows"      = excluded."rows",
    begun_at    = now(),
    done_at     = null
