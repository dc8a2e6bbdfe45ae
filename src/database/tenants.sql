select
    tenant_id as tenant,
    (
        select definition::json -> 'tenant' ->> 'name' from tidemark.tenant_definition
        where tenant_definition.tenant_id = digest.tenant_id
        order by version desc
        limit 1
    ) as name,
    sum(customers)::bigint as customers,
    sum(events)::bigint as events
from digest
group by tenant_id
order by tenant_id
