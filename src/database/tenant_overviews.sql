-- Every tenant that is defined, has customers, has parked events, or is deferred.
with named (tenant_id) as (
    select tenant_id collate "C" from tidemark.tenant_definition
    union
    select tenant_id collate "C" from digest
    union
    select tenant_id collate "C" from parked where tenant_id is not null
    union
    select tenant_id collate "C" from deferral
)
select
    named.tenant_id as tenant,
    (
        select definition::json -> 'tenant' ->> 'name' from tidemark.tenant_definition
        where tenant_definition.tenant_id = named.tenant_id
        order by version desc
        limit 1
    ) as name,
    (
        select max(version) from tidemark.tenant_definition
        where tenant_definition.tenant_id = named.tenant_id
    ) as definitions,
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
    ) as deferred
from named
cross join lateral (
    select sum(customers) as customers, sum(events) as events
    from digest
    where digest.tenant_id = named.tenant_id
) as counts
order by named.tenant_id
