select tenant_id as tenant, sum(customers)::bigint as customers, sum(events)::bigint as events
from digest
group by tenant_id
order by tenant_id
