select id, fold_version, layout_version, topic, partitions, partitioner
from tidemark.generation
where state = 'active'
