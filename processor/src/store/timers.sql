-- Customers with nothing due any more, then new due times. No key is in both.
with gone as (
    delete from timer
    -- Key by key, as load_customers.sql says; only the owner of the partition moves these rows.
    where ctid = any (array(
        select found.ctid
        from unnest($2::text[], $3::text[]) as cleared (tenant_id, customer_id)
        cross join lateral (
            select ctid
            from timer
            where timer.partition = $1
              and timer.tenant_id = cleared.tenant_id
              and timer.customer_id = cleared.customer_id
            limit 1
        ) as found
    ))
)
insert into timer (partition, tenant_id, customer_id, due_at)
select $1, tenant_id, customer_id, due_at
from unnest($4::text[], $5::text[], $6::bigint[]) as due (tenant_id, customer_id, due_at)
on conflict (partition, tenant_id, customer_id) do update
set due_at = excluded.due_at
