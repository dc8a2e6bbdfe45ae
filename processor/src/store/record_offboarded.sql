insert into tidemark.tenant_definition (tenant_id, version, appended_at, format)
select tenant_id, $1, $2, $3
from unnest($4::text[]) as offboarded (tenant_id)
on conflict (tenant_id, version) do nothing
