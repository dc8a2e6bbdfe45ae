select tenant_id, max(version) as version
from reevaluation
where not done
group by tenant_id
order by tenant_id
