-- Erases the next operator commands for parked events of a tenant in a partition, at most $3.
with next as (
    select parked_request.request, parked_request.topic, parked_request."offset"
    from parked_request
    join offboarding
        on offboarding.tenant_id = parked_request.tenant_id
        and offboarding.partition = parked_request.partition
        and offboarding.next_offset > parked_request."offset"
    where parked_request.tenant_id = $2 and parked_request.partition = $1
    limit $3
), erased as (
    delete from parked_request using next
    where parked_request.request = next.request
      and parked_request.topic = next.topic
      and parked_request.partition = $1
      and parked_request."offset" = next."offset"
    returning 1
)
update offboarding
set "rows" = "rows" + (select count(*) from erased)
where tenant_id = $2
  and partition = $1
