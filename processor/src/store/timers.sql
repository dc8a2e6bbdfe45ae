-- Due times that have fired, then new ones. No key is in both.
with fired as (
    delete from timer
    -- Key by key, as load_customers.sql says; only the owner of the partition moves these rows.
    where ctid = any (array(
        select found.ctid
        from unnest($2::bigint[], $3::text[], $4::text[]) as past (due_at, tenant_id, customer_id)
        cross join lateral (
            select ctid
            from timer
            where timer.partition = $1
              and timer.due_at = past.due_at
              and timer.tenant_id = past.tenant_id
              and timer.customer_id = past.customer_id
            limit 1
        ) as found
    ))
)
insert into timer (partition, due_at, tenant_id, customer_id)
select $1, due_at, tenant_id, customer_id
from unnest($5::bigint[], $6::text[], $7::text[]) as due (due_at, tenant_id, customer_id)
on conflict do nothing
