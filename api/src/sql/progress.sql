-- The progress and the claim of each partition, over all tenants.
select
    progress.partition,
    progress.epoch,
    progress.commits,
    progress.next_offset,
    heartbeat.log_end,
    (extract(epoch from heartbeat.log_end_at) * 1000000)::bigint as log_end_at,
    progress.fired_to,
    progress.definitions
from progress
left join heartbeat
    on heartbeat.topic = progress.topic
    and heartbeat.partition = progress.partition
where progress.topic = $1
