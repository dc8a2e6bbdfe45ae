-- Asks the owners of all partitions to resume a tenant, or one customer; '' is the whole tenant. With a tenant
-- that is quarantined as a whole, its customers that were quarantined before are resumed.
update deferral
set resume_by = $3
where tenant_id = $1
  and reason <> 'undefined'
  and (
      customer_id = $2
      or $2 = '' and reason = 'quarantined' and exists (
          select
          from deferral as whole
          where whole.partition = deferral.partition
            and whole.tenant_id = $1
            and whole.customer_id = ''
            and whole.reason = 'quarantined'
      )
  )
