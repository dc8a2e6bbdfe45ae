-- Ends the halts of tenants that this partition folds again.
delete from halt
where partition = $1
  and tenant_id = any ($2::text[])
