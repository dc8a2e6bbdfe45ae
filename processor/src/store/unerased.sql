-- The first kind of rows that are still to be erased of a tenant in a partition, null if none is; no row before
-- that has begun.
select case
           when exists (
               select from customer where tenant_id = $2 and partition = $1
           ) then 'customers'
           when exists (
               select from parked
               where tenant_id = $2 and partition = $1 and "offset" < offboarding.next_offset
           ) then 'parked'
           when exists (
               select from rollup where tenant_id = $2 and partition = $1
           ) then 'rollups'
           -- last: it is searched from end to end
           when exists (
               select from parked_request
               where tenant_id = $2 and partition = $1 and "offset" < offboarding.next_offset
           ) then 'requests'
       end as kind
from offboarding
where tenant_id = $2
  and partition = $1
