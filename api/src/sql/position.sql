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
        select case when definition.definition is not null then definition.version end
        from tidemark.tenant_definition as definition
        where definition.tenant_id = $1
          -- of the most advanced partition: the others follow, and are reported as re-evaluating
          and definition.version <= max(progress.definitions)
        order by definition.version desc
        limit 1
    ) as definitions,
    -- from the first partition that offboards the tenant until the last has erased its rows
    exists (
        select
        from tidemark.tenant_definition as offboarded
        where offboarded.tenant_id = $1
          and offboarded.definition is null
          and offboarded.version <= max(progress.definitions)
          and (
              offboarded.version > min(progress.definitions)
              or exists (
                  select
                  from offboarding
                  where offboarding.tenant_id = $1
                    and offboarding.done_at is null
              )
          )
    ) as is_leaving
from progress
left join heartbeat
    on heartbeat.topic = progress.topic
    and heartbeat.partition = progress.partition
where progress.topic = $2
