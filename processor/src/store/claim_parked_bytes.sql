select tenant_id, bytes
from parked_bytes
where partition = $1
