select id, fold_version, topic, partitions, partitioner
from tidemark.generation
where state = 'active'
