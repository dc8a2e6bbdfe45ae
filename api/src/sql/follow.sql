-- The active generation, its tables put on the search path of this transaction, and how far the
-- definitions topic is recorded. No tenant is named.
select
    generation.id,
    generation.topic,
    generation.partitions,
    (select max(version) from tidemark.bundle) as recorded,
    set_config('search_path', 'gen_' || generation.id, true)
from tidemark.generation
where generation.state = 'active'
