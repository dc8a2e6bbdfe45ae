-- The table holds only customers that are large: see generation.sql.
select tenant_id as tenant, customer_id as customer, bytes
from large_customer
order by bytes desc, tenant_id, customer_id
limit 5
