select partition, next_offset, log_end, clock, definitions, owner,
       -- a session's clock may be behind the row's
       greatest(extract(epoch from now() - updated_at), 0)::float8 as idle_seconds
from progress
where topic = $1
order by partition
