-- How far the generation is, and which of the tenant's definitions are in force.
select
    count(*) as partitions,
    min(progress.clock) as clock,
    coalesce(sum(greatest(progress.log_end - progress.next_offset, 0)), 0)::bigint as lag,
    (
        select max(definition.version)
        from tidemark.tenant_definition as definition
        where definition.tenant_id = $1
          -- the furthest partition's: the others follow, and are said to be re-evaluating
          and definition.version <= max(progress.definitions)
    ) as definitions
from progress
where progress.topic = $2
