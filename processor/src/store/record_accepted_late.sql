-- One that was accepted before its tenant was offboarded may be accepted again.
insert into tidemark.accepted_late (tenant_id, event_id, version)
select tenant_id, event_id, $1
from unnest($2::text[], $3::uuid[]) as accepted (tenant_id, event_id)
on conflict (tenant_id, event_id) do update
set version = excluded.version
