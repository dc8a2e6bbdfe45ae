-- The rollups of subject journey, added up over partitions and the days asked for. Stays are not kept by
-- day. Counts of customers and moves: a bigint holds them.
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
