select tenant_id, version, activated_at, cursor, evaluated
from reevaluation
where partition = $1
  and not done
order by tenant_id
