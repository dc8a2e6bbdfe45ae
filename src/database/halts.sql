select tenant_id as tenant, partition, "offset", parked, records,
       (extract(epoch from halted_at) * 1000000)::bigint as halted_at, resume_by
from halt
order by tenant_id, partition
