-- The tenants halted in a partition, and whether an operator resumed them.
select tenant_id, resume_by
from halt
where partition = $1
order by tenant_id
