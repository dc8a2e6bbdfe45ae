-- How far the slowest partition's clock is behind the database's.
select
    count(*) as partitions,
    (extract(epoch from now()) - min(clock) / 1e6)::float8 as seconds
from progress
