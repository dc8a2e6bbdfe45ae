-- Every tenant that is defined, has customers, has parked events, is deferred, or is being offboarded.
with newest as (
    select distinct on (tenant_id) tenant_id collate "C" as tenant_id, version, definition
    from tidemark.tenant_definition
    order by tenant_id, version desc
), offboarded as (
    select tenant_id collate "C" as tenant_id, max(version) as version
    from tidemark.tenant_definition
    where definition is null
    group by tenant_id
), offboarding_in (tenant_id, partitions) as (
    select offboarded.tenant_id, count(*)
    from offboarded
    cross join progress
    left join offboarding
        on offboarding.tenant_id = offboarded.tenant_id
        and offboarding.partition = progress.partition
        and offboarding.version = offboarded.version
    where progress.definitions < offboarded.version
       or (offboarding.version is not null and offboarding.done_at is null)
    group by offboarded.tenant_id
), named (tenant_id) as (
    select tenant_id from newest where definition is not null
    union
    select tenant_id from digest
    union
    select tenant_id from parked where tenant_id is not null
    union
    select tenant_id from deferral
    union
    select tenant_id from offboarding_in
)
select
    named.tenant_id as tenant,
    newest.definition::json -> 'tenant' ->> 'name' as name,
    case when newest.definition is not null then newest.version end as definitions,
    coalesce(counts.customers, 0)::bigint as customers,
    coalesce(counts.events, 0)::bigint as events,
    (
        select max(last_seen_at) from customer where customer.tenant_id = named.tenant_id
    ) as last_event,
    (
        select count(*) from parked where parked.tenant_id = named.tenant_id
    ) as parked,
    (
        select coalesce(sum(deferral.events), 0)::bigint from deferral
        where deferral.tenant_id = named.tenant_id
    ) as deferred,
    coalesce(offboarding_in.partitions, 0) as offboarding
from named
left join newest on newest.tenant_id = named.tenant_id
left join offboarding_in on offboarding_in.tenant_id = named.tenant_id
cross join lateral (
    select sum(customers) as customers, sum(events) as events
    from digest
    where digest.tenant_id = named.tenant_id
) as counts
order by named.tenant_id
