-- Returns the active generation and the last recorded offset of the definitions topic, and puts the
-- generation's tables on the search path of this transaction. Sets no tenant.
select
    generation.id,
    generation.topic,
    generation.partitions,
    (select max(version) from tidemark.bundle) as recorded,
    set_config('search_path', 'gen_' || generation.id, true)
from tidemark.generation
where generation.state = 'active'
