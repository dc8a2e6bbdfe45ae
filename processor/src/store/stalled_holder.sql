-- Which backend holds the partition's row: the one that runs the transaction which wrote the
-- version of the row after the one we see.
select pg_locks.pid
from progress
join pg_locks on pg_locks.transactionid = progress.xmax
where progress.topic = $1
  and progress.partition = $2
  and pg_locks.locktype = 'transactionid'
  and pg_locks.granted
  and pg_locks.pid <> pg_backend_pid()
