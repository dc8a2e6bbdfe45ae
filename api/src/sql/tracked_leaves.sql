-- From when on each of a tenant's tracked leaves counts: where it began last. One that a partition
-- at work has not begun to count is left out.
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
