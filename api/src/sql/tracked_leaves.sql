-- The time from which each of a tenant's tracked leaves is counted in every partition: the latest
-- start. A leaf that an active partition does not count yet is left out.
select
    leaf,
    max(exact_from) as exact_from
from tracked_leaf
where tenant_id = $1
group by leaf
having count(*) >= (
    select count(*)
    from progress
    where topic = $2
      and definitions >= 0
)
order by leaf
