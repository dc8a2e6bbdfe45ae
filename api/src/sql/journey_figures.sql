-- The figures of one journey, added up over partitions and the days asked for. Stays are not kept by
-- day. Counts of customers and moves: a bigint holds them.
select
    kind,
    two,
    three,
    sum(value)::bigint as value
from figure
where tenant_id = $1
  and kind = any ($2)
  and one = $3
  and (day between $4 and $5 or kind = $6)
group by kind, two, three
