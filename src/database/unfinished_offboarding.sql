-- The partitions in which a tenant's rows are left to erase, and what is erased of it everywhere.
select coalesce(
           array_agg(progress.partition order by progress.partition) filter (
               where progress.definitions < $2
                  or (offboarding.version is not null and offboarding.done_at is null)
           ),
           '{}'
       ) as partitions,
       coalesce(sum(offboarding.customers), 0)::bigint as customers,
       coalesce(sum(offboarding."rows"), 0)::bigint as "rows"
from progress
left join offboarding
    on offboarding.tenant_id = $1
    and offboarding.partition = progress.partition
    and offboarding.version = $2
