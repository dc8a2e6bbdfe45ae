-- The invalidations of the commits after the last one seen of each partition. They hold no names.
select invalidation.content
from unnest($1::int[], $2::bigint[]) as seen (partition, commits)
join invalidation
    on invalidation.partition = seen.partition
    and invalidation.commits > seen.commits
