-- Without `on conflict`: a sequence given twice is a bug that must not pass.
insert into change_set (partition, seq, tenant_id, customer_id, definition_version, changes)
select $1, seq, tenant_id, customer_id, definition_version, changes
from unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::json[])
    as happened (seq, tenant_id, customer_id, definition_version, changes)
