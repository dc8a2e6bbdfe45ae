select customer.tenant_id, customer.customer_id, state, standing, evaluated_at,
       definition_version, first_seen_at, last_seen_at, band
from unnest($1::text[], $2::text[]) as wanted (tenant_id, customer_id)
join customer on customer.tenant_id = wanted.tenant_id
             and customer.customer_id = wanted.customer_id
