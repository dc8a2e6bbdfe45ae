-- The append time is that of the version under which customers are evaluated.
insert into tidemark.tenant_definition
    (tenant_id, version, appended_at, format, definition, evaluated_as)
select renamed.tenant_id, $1, evaluated.appended_at, $2, renamed.definition, renamed.evaluated_as
from unnest($3::text[], $4::text[], $5::bigint[]) as renamed (tenant_id, definition, evaluated_as)
join tidemark.tenant_definition as evaluated
    on evaluated.tenant_id = renamed.tenant_id
    and evaluated.version = renamed.evaluated_as
on conflict (tenant_id, version) do nothing
