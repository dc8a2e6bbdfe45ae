select tenant_id, customer_id, state, tracked, evaluated, evaluated_at, definition_version,
       first_seen_at, last_seen_at, band, value_minor
from customer
where partition = $1
  and tenant_id = $2
  and customer_id > $3
order by customer_id
limit $4
