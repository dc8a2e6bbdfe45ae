-- Erases the next rollups of a tenant in a partition, at most $3. The partition's owner alone changes them.
with erased as (
    delete from rollup
    where ctid = any (array(select ctid from rollup where tenant_id = $2 and partition = $1 limit $3))
    returning 1
)
update offboarding
set "rows" = "rows" + (select count(*) from erased)
where tenant_id = $2
  and partition = $1
