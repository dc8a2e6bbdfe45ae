update offboarding
set done_at = now()
where tenant_id = $2
  and partition = $1
