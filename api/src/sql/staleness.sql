-- The age of the slowest partition's clock, by the database's clock or, if given, by $1
-- (microseconds): whether records are folded, not whether timers are due. A partition with the minimum instant as its clock has not started.
select
    count(*) filter (where clock > -377705023201000000) as partitions,
    (coalesce($1::bigint / 1e6, extract(epoch from now())) - min(clock) / 1e6)::float8 as seconds
from progress
