insert into reevaluation (tenant_id, partition, version, activated_at, cursor, evaluated, done)
select tenant_id, $1, version, activated_at, cursor, evaluated, done
from unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::boolean[])
    as now (tenant_id, version, activated_at, cursor, evaluated, done)
on conflict (tenant_id, partition) do update
set version      = excluded.version,
    activated_at = excluded.activated_at,
    cursor       = excluded.cursor,
    evaluated    = excluded.evaluated,
    done         = excluded.done
