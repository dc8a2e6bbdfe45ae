-- The rollups of one journey, summed over partitions and the given days. Stays are not kept by day.
-- The sums count customers and moves, so they fit a bigint.
select
    kind,
    item,
    detail,
    sum(value)::bigint as value
from rollup
where tenant_id = $1
  and kind = any ($2)
  and subject = $3
  and (day between $4 and $5 or kind = $6)
group by kind, item, detail
