-- Tenants halted in a partition, and whether somebody asked for them to go on.
select tenant_id, resume_by
from halt
where partition = $1
order by tenant_id
