-- The progress and the claim of each partition, over all tenants.
select
    partition,
    epoch,
    commits,
    next_offset,
    log_end,
    clock,
    definitions
from progress
where topic = $1
