select tenant_id as tenant, reason, count(*) as events
from parked
group by tenant_id, reason
order by tenant_id nulls first, reason
