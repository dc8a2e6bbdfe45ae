-- Along the primary key of membership; each member's stage is looked up by its own.
select
    customer.customer_id,
    customer.first_seen_at,
    customer.last_seen_at,
    customer.band,
    customer.evaluated_at
from membership
join position
    on position.tenant_id = membership.tenant_id
    and position.customer_id = membership.customer_id
join customer
    on customer.tenant_id = membership.tenant_id
    and customer.customer_id = membership.customer_id
where membership.tenant_id = $1
  and position.tenant_id = $1
  and customer.tenant_id = $1
  and membership.customer_id > $2
  and ($4::smallint is null or customer.band = $4)
  and membership.segment = $5
  and position.journey = $6
  and position.stage = $7
order by membership.customer_id
limit $3
