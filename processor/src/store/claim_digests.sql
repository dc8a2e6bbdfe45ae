select tenant_id, customers, events, digest
from digest
where partition = $1
order by tenant_id
