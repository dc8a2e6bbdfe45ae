-- `lateral … limit 1` looks each key up in the primary key whatever the planner thinks of the table:
-- a plain join, planned while the table was empty, would go on reading all of it.
select found.*
from unnest($1::text[], $2::text[]) as wanted (tenant_id, customer_id)
cross join lateral (
    select tenant_id, customer_id, state, tracked, evaluated, evaluated_at, definition_version,
           first_seen_at, last_seen_at, band, value_minor
    from customer
    where customer.tenant_id = wanted.tenant_id
      and customer.customer_id = wanted.customer_id
    limit 1
) as found
