-- A tenant's counters of some kinds and names, summed over partitions.
select
    name,
    sum(value)::bigint as value
from counter
where tenant_id = $1
  and kind = any($2::text[])
  and name = any($3::text[])
group by name
