-- How far each partition is. Of no tenant.
select
    partition,
    next_offset,                        -- first not folded
    log_end,                            -- last stable offset when last seen
    clock,
    definitions                         -- version in force
from progress
where topic = $1
order by partition
