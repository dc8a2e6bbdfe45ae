-- A tenant's counters of one kind, summed over partitions.
select
    name,
    sum(value)::bigint as value
from counter
where tenant_id = $1
  and kind = $2
group by name
order by name
