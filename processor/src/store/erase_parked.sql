-- Erases the next parked events of a tenant in a partition, at most $3.
with next as (
    select parked.topic, parked."offset"
    from parked
    join offboarding
        on offboarding.tenant_id = parked.tenant_id
        and offboarding.partition = parked.partition
        and offboarding.next_offset > parked."offset"
    where parked.tenant_id = $2 and parked.partition = $1
    limit $3
), erased as (
    delete from parked using next
    where parked.topic = next.topic and parked.partition = $1 and parked."offset" = next."offset"
    returning 1
)
update offboarding
set "rows" = "rows" + (select count(*) from erased)
where tenant_id = $2
  and partition = $1
