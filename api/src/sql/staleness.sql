-- How far the slowest partition's clock is behind the database's. A partition whose clock stands at
-- the least instant there is has not begun.
select
    count(*) filter (where clock > -377705023201000000) as partitions,
    (extract(epoch from now()) - min(clock) / 1e6)::float8 as seconds
from progress
