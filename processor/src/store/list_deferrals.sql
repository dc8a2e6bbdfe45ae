-- Every scope that is deferred anywhere.
select deferral.partition, tenant_id, customer_id, reason, detail, from_offset, deferral.next_offset,
       deferral.clock, events, (extract(epoch from began_at) * 1000000)::bigint as began_at, resume_by,
       progress.next_offset - deferral.next_offset as behind
from deferral
join progress on progress.topic = $1 and progress.partition = deferral.partition
order by tenant_id, customer_id, deferral.partition
limit $2
