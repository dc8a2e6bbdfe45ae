-- An operator's action on a tenant.
insert into tidemark.audit (tenant_id, subject, role, action, target)
values ($1, $2, 'operator', $3, $4)
