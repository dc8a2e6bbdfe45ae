-- A tenant's rollups of these kinds, for these names ($3), from subject day to another; sharded by
-- partition, so added up, and unless asked for ($6, $7) over days and the second dimension, too. As text:
-- they may be larger than a bigint.
select
    kind,
    subject,
    case when $6 then day else $4 end as day,
    case when $7 then item else '' end as item,
    detail,
    currency,
    sum(value)::text as value
from rollup
where tenant_id = $1
  and kind = any ($2)
  and subject = any ($3)
  and day between $4 and $5
group by 1, 2, 3, 4, 5, 6
having sum(value) <> 0
