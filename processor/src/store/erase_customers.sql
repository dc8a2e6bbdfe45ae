-- Erases the next customers of a tenant in a partition with all their rows: at most $3 customers and $4 of
-- their change sets. A customer goes with its last change set. Arrays, so that every plan uses the keys.
with recursive segments as (
    (select segment from membership where tenant_id = $2 order by segment limit 1)
    union all
    select (
        select next.segment from membership as next
        where next.tenant_id = $2 and next.segment > segments.segment
        order by next.segment
        limit 1
    )
    from segments
    where segments.segment is not null
), journeys as (
    (select journey from position where tenant_id = $2 order by journey limit 1)
    union all
    select (
        select next.journey from position as next
        where next.tenant_id = $2 and next.journey > journeys.journey
        order by next.journey
        limit 1
    )
    from journeys
    where journeys.journey is not null
), next as (
    select customer_id from customer
    where tenant_id = $2 and partition = $1
    order by customer_id
    limit $3
), sets as (
    select customer_id, seq
    from change_set
    where tenant_id = $2
      and customer_id = any (array(select customer_id from next))
      and partition = $1
    order by customer_id
    limit $4
), whole as (
    select customer_id from next
    where (select count(*) from sets) < $4
       or customer_id < (select max(customer_id) from sets)
), erased_sets as (
    delete from change_set
    where partition = $1 and seq = any (array(select seq from sets))
    returning 1
), erased_memberships as (
    delete from membership
    where tenant_id = $2
      and segment = any (array(select segment from segments where segment is not null))
      and customer_id = any (array(select customer_id from whole))
    returning 1
), erased_positions as (
    delete from position
    where tenant_id = $2
      and journey = any (array(select journey from journeys where journey is not null))
      and customer_id = any (array(select customer_id from whole))
    returning 1
), erased_timers as (
    delete from timer
    where tenant_id = $2 and customer_id = any (array(select customer_id from whole))
    returning 1
), erased as (
    delete from customer
    where tenant_id = $2 and customer_id = any (array(select customer_id from whole))
    returning 1
)
update offboarding
set customers = customers + (select count(*) from erased),
    "rows"    = "rows"
        + (select count(*) from erased_sets)
        + (select count(*) from erased_memberships)
        + (select count(*) from erased_positions)
        + (select count(*) from erased_timers)
        + (select count(*) from erased)
where tenant_id = $2
  and partition = $1
