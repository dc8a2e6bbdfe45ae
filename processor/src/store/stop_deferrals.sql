-- Scopes that stand still again until they are resumed.
update deferral
set resume_by = null
from unnest($2::text[], $3::text[]) as stopped (tenant_id, customer_id)
where deferral.partition = $1
  and deferral.tenant_id = stopped.tenant_id
  and deferral.customer_id = stopped.customer_id
