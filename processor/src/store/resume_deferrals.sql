-- Asks the owners of all partitions to resume a tenant, or one customer; '' is the whole tenant.
update deferral
set resume_by = $3
where tenant_id = $1
  and customer_id = $2
  and reason <> 'undefined'
