-- The tenants of which rows of a partition are still to be erased.
select tenant_id
from offboarding
where partition = $1
  and done_at is null
order by tenant_id
