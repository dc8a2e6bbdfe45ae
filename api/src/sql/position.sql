-- The progress of the generation, and the version of the tenant's definitions in force.
select
    count(*) as partitions,
    min(progress.fired_to) as watermark,
    -- a tenant that is deferred as a whole is as of the partition in which it stands furthest behind
    (
        select min(deferral.fired_to)
        from deferral
        where deferral.tenant_id = $1
          and deferral.customer_id = ''
    ) as deferred,
    coalesce(sum(greatest(heartbeat.log_end - progress.next_offset, 0)), 0)::bigint as lag,
    -- microseconds; null unless the end of every partition was seen
    case when count(heartbeat.log_end_at) = count(*)
        then (extract(epoch from min(heartbeat.log_end_at)) * 1000000)::bigint
    end as lag_at,
    (
        select max(definition.version)
        from tidemark.tenant_definition as definition
        where definition.tenant_id = $1
          -- of the most advanced partition: the others follow, and are reported as re-evaluating
          and definition.version <= max(progress.definitions)
    ) as definitions
from progress
left join heartbeat
    on heartbeat.topic = progress.topic
    and heartbeat.partition = progress.partition
where progress.topic = $2
