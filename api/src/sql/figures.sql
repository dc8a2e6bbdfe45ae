-- A tenant's figures of these kinds, for these names ($3), day by day; sharded by partition, so added
-- up. As text: they may be larger than a bigint.
select
    kind,
    one,
    day,
    two,
    three,
    currency,
    sum(value)::text as value
from figure
where tenant_id = $1
  and kind = any ($2)
  and one = any ($3)
  and day between $4 and $5
group by kind, one, day, two, three, currency
having sum(value) <> 0
