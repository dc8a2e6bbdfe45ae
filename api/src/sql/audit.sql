-- Who read what of whom. The API's role may insert here, not read.
insert into tidemark.audit (tenant_id, subject, role, action, target, request_id)
values ($1, $2, $3, $4, $5, $6)
