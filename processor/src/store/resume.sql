-- Asks the owners of all partitions to resume a tenant.
update halt
set resume_by = $2
where tenant_id = $1
