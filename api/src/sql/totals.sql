-- The numbers of a tenant's customers and folded events.
select
    coalesce(sum(customers), 0)::bigint as customers,
    coalesce(sum(events), 0)::bigint as events
from digest
where tenant_id = $1
