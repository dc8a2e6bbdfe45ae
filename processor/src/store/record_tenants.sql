insert into tidemark.tenant_definition (tenant_id, version, appended_at, format, definition)
select tenant_id, $1, $2, $3, definition
from unnest($4::text[], $5::text[]) as defined (tenant_id, definition)
on conflict (tenant_id, version) do nothing
