-- Along the primary key of membership; the band, if one is asked for, is looked at in each row.
select
    customer.customer_id,
    customer.first_seen_at,
    customer.last_seen_at,
    customer.band,
    customer.evaluated_at
from membership
join customer
    on customer.tenant_id = membership.tenant_id
    and customer.customer_id = membership.customer_id
where membership.tenant_id = $1
  and customer.tenant_id = $1
  and membership.customer_id > $2
  and ($4::smallint is null or customer.band = $4)
  and membership.segment = $5
order by membership.customer_id
limit $3
