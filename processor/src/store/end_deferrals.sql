-- Ends the deferral of scopes that the partition folds again.
delete from deferral
using unnest($2::text[], $3::text[]) as ended (tenant_id, customer_id)
where deferral.partition = $1
  and deferral.tenant_id = ended.tenant_id
  and deferral.customer_id = ended.customer_id
