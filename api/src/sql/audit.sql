-- Records a read of personal attributes. The API's role may insert audit rows, not read them.
insert into tidemark.audit (tenant_id, subject, role, action, target, request_id)
values ($1, $2, $3, $4, $5, $6)
