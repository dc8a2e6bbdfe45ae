select id, fold_version, layout_version, topic, partitions, partitioner,
       (extract(epoch from created_at) * 1000000)::bigint as created_at
from tidemark.generation
where state = 'active'
