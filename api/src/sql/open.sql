-- Sets the tenant for row-level security and puts the active generation's tables on the search
-- path, both for this transaction only. Returns no row, and sets nothing, if no generation is active.
select
    generation.id,
    generation.fold_version,
    generation.layout_version,
    generation.topic,
    generation.partitions,
    set_config('tidemark.tenant', $1, true),
    set_config('search_path', 'gen_' || generation.id, true)
from tidemark.generation
where generation.state = 'active'
