-- Where each partition is. Of no tenant.
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
