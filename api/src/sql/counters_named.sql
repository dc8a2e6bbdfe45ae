-- Some of a tenant's counters; sharded by partition, so added up.
select
    name,
    sum(value)::bigint as value
from counter
where tenant_id = $1
  and kind = any($2::text[])
  and name = any($3::text[])
group by name
