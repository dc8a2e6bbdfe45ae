-- The progress of each partition, over all tenants.
select
    partition,
    next_offset,                        -- first offset not folded
    log_end,                            -- last stable offset as last observed
    clock,
    definitions                         -- version in force
from progress
where topic = $1
order by partition
