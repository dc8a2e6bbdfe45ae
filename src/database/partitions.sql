-- The progress of each of the partitions, also of those that no processor has claimed.
select
    number as partition,
    coalesce(progress.next_offset, 0) as next_offset,
    heartbeat.log_end,
    (extract(epoch from heartbeat.log_end_at) * 1000000)::bigint as log_end_at,
    progress.clock,
    progress.fired_to,
    coalesce(progress.definitions, -1) as definitions,
    progress.owner,
    seen.at as seen_at,
    (extract(epoch from now()) - seen.at / 1e6)::float8 as silent_seconds
from generate_series(0, $2 - 1) as number
left join progress
    on progress.topic = $1
    and progress.partition = number
left join heartbeat
    on heartbeat.topic = $1
    and heartbeat.partition = number
cross join lateral (
    select (extract(epoch from greatest(heartbeat.seen_at, progress.updated_at)) * 1000000)::bigint as at
) as seen
order by number
