-- How far the slowest partition's clock is behind the wall: the database's, unless $1 (microseconds)
-- stands in for it. A partition whose clock stands at the least instant there is has not begun.
select
    count(*) filter (where clock > -377705023201000000) as partitions,
    (coalesce($1::bigint / 1e6, extract(epoch from now())) - min(clock) / 1e6)::float8 as seconds
from progress
