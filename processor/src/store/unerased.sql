-- The kinds of rows that are still to be erased of a tenant in a partition; no row before that has begun.
select exists (
           select from customer where tenant_id = $2 and partition = $1
       ) as customers,
       exists (
           select from parked
           where tenant_id = $2 and partition = $1 and "offset" < offboarding.next_offset
       ) as parked,
       exists (
           select from parked_request
           where tenant_id = $2 and partition = $1 and "offset" < offboarding.next_offset
       ) as requests,
       exists (
           select from rollup where tenant_id = $2 and partition = $1
       ) as rollups
from offboarding
where tenant_id = $2
  and partition = $1
