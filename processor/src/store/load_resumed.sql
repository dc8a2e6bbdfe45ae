-- The deferred scopes of a partition that operators resumed.
select tenant_id, customer_id
from deferral
where partition = $1
  and resume_by is not null
order by tenant_id, customer_id
