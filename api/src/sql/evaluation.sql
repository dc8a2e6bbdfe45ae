-- The re-evaluation of a tenant's customers under its newest definitions in force ($2). A partition
-- in which they are not in force yet counts as unfinished.
select
    count(*) filter (
        where progress.definitions < $2
           or (reevaluation.version is not null and not reevaluation.done)
    ) as unfinished,
    coalesce(sum(reevaluation.evaluated) filter (
        where reevaluation.version >= (
            -- a version that only renames the tenant is evaluated as an earlier one
            select coalesce(evaluated_as, version)
            from tidemark.tenant_definition
            where tenant_id = $1
              and version = $2
        )
    ), 0)::bigint as evaluated
from progress
left join reevaluation
    on reevaluation.partition = progress.partition
    and reevaluation.tenant_id = $1
where progress.topic = $3
