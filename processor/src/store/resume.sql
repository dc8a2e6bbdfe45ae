-- Asks the owners of all partitions to fold a tenant again.
update halt
set resume_by = $2
where tenant_id = $1
