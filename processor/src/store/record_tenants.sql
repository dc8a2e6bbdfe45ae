insert into tidemark.tenant_definition (tenant_id, version, appended_at, definition)
select tenant_id, $1, $2, definition
from unnest($3::text[], $4::text[]) as defined (tenant_id, definition)
on conflict (tenant_id, version) do nothing
