insert into reevaluation (tenant_id, partition, version, cursor, evaluated, done)
select tenant_id, $1, version, cursor, evaluated, done
from unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::boolean[])
    as now (tenant_id, version, cursor, evaluated, done)
on conflict (tenant_id, partition) do update
set version   = excluded.version,
    cursor    = excluded.cursor,
    evaluated = excluded.evaluated,
    done      = excluded.done
