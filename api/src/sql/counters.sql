-- A tenant's sizes of one kind; sharded by partition, so added up.
select
    name,
    sum(value)::bigint as value
from counter
where tenant_id = $1
  and kind = $2
group by name
order by name
