-- Returns the active generation and puts its tables on the search path of this transaction. Sets no
-- tenant.
select
    generation.id as generation,
    generation.partitions,
    set_config('search_path', 'gen_' || generation.id, true)
from tidemark.generation
where generation.state = 'active'
