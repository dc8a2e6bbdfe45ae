select tenant_id, customer_id, bytes
from large_customer
where partition = $1
