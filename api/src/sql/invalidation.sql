-- What was touched by the commits after those seen of each partition. Names nobody.
select invalidation.content
from unnest($1::int[], $2::bigint[]) as seen (partition, commits)
join invalidation
    on invalidation.partition = seen.partition
    and invalidation.commits > seen.commits
