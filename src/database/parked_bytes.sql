-- The largest tenants of a partition by the bytes of their parked events; null: no tenant could be read.
select nullif(tenant_id, '') as tenant, partition, bytes
from parked_bytes
order by bytes desc, tenant_id, partition
limit 10
