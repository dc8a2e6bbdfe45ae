-- The owner that wrote the last heartbeat of a partition, if that was a moment ago.
select owner, consumer_group
from heartbeat
where topic = $1
  and partition = $2
  and seen_at > now() - interval '10 seconds'
