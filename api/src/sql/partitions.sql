-- The progress of each partition, over all tenants.
select
    progress.partition,
    progress.next_offset,               -- first offset not folded
    heartbeat.log_end,                  -- last stable offset as last observed
    (extract(epoch from heartbeat.log_end_at) * 1000000)::bigint as log_end_at,
    (extract(epoch from greatest(heartbeat.seen_at, progress.updated_at)) * 1000000)::bigint
        as seen_at,
    progress.clock,
    progress.fired_to,
    progress.definitions                -- version in force
from progress
left join heartbeat
    on heartbeat.topic = progress.topic
    and heartbeat.partition = progress.partition
where progress.topic = $1
order by progress.partition
