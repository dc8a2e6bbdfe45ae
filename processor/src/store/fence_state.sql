-- Where the partition stands, after the fence found no row.
select epoch, nonce, commits, next_offset
from progress
where topic = $1
  and partition = $2
