-- A tenant's rollups of some kinds and subjects over a range of days, summed over partitions; and
-- over days and items too, unless they are kept apart ($6, $7). The sums are text because they may
-- exceed a bigint.
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
