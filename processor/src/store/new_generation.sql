insert into tidemark.generation (
    id, fold_version, layout_version, topic, partitions, partitioner, state, promoted_at
)
select coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, 'active', now()
from tidemark.generation
