-- Writes the heartbeats of a process: of each partition that it still owns, unless a later claim has
-- written one. In the order of partitions, so that two processes cannot wait for each other.
insert into heartbeat (topic, partition, epoch, owner, consumer_group, log_end, log_end_at, seen_at)
select
    $1,
    beat.partition,
    beat.epoch,
    $6,
    $7,
    beat.log_end,
    case when beat.log_end is not null then now() - beat.age * interval '1 second' end,
    now()
from unnest($2::int[], $3::bigint[], $4::bigint[], $5::float8[])
    as beat (partition, epoch, log_end, age)
join progress
    on progress.topic = $1
    and progress.partition = beat.partition
    and progress.epoch = beat.epoch
order by beat.partition
on conflict (topic, partition) do update
set epoch      = excluded.epoch,
    owner      = excluded.owner,
    consumer_group = excluded.consumer_group,
    log_end    = coalesce(excluded.log_end, heartbeat.log_end),
    log_end_at = coalesce(excluded.log_end_at, heartbeat.log_end_at),
    seen_at    = excluded.seen_at
where heartbeat.epoch <= excluded.epoch
