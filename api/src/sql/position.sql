-- The progress of the generation, and the version of the tenant's definitions in force.
select
    count(*) as partitions,
    min(progress.clock) as clock,
    coalesce(sum(greatest(progress.log_end - progress.next_offset, 0)), 0)::bigint as lag,
    (
        select max(definition.version)
        from tidemark.tenant_definition as definition
        where definition.tenant_id = $1
          -- of the most advanced partition: the others follow, and are reported as re-evaluating
          and definition.version <= max(progress.definitions)
    ) as definitions
from progress
where progress.topic = $2
