-- What was touched by the commits after those seen of each partition. Names nobody.
select touched.touched
from unnest($1::int[], $2::bigint[]) as seen (partition, commits)
join touched
    on touched.partition = seen.partition
    and touched.commits > seen.commits
