insert into clock_mark (partition, "offset", clock)
select $1, "offset", clock
from unnest($2::bigint[], $3::bigint[]) as mark ("offset", clock)
