-- The active generation, its tables put on the search path of this transaction. No tenant is named.
select
    generation.id as generation,
    generation.partitions,
    set_config('search_path', 'gen_' || generation.id, true)
from tidemark.generation
where generation.state = 'active'
