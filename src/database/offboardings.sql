-- Tenants of which rows are left to erase, by partition: not begun yet, or not finished.
with offboarded as (
    select tenant_id collate "C" as tenant_id, max(version) as version
    from tidemark.tenant_definition
    where definition is null
    group by tenant_id
)
select offboarded.tenant_id as tenant,
       offboarded.version,
       progress.partition,
       coalesce(offboarding.customers, 0) as customers,
       coalesce(offboarding."rows", 0) as "rows"
from offboarded
cross join progress
left join offboarding
    on offboarding.tenant_id = offboarded.tenant_id
    and offboarding.partition = progress.partition
    and offboarding.version = offboarded.version
where progress.definitions < offboarded.version
   or (offboarding.version is not null and offboarding.done_at is null)
order by offboarded.tenant_id, progress.partition
