-- Removes timers, then writes and moves others. No customer is in both.
with removed as (
    delete from timer
    -- Key by key, as load_customers.sql says; only the owner of the partition moves these rows.
    where ctid = any (array(
        select found.ctid
        from unnest($2::text[], $3::text[]) as past (tenant_id, customer_id)
        cross join lateral (
            select ctid
            from timer
            where timer.tenant_id = past.tenant_id
              and timer.customer_id = past.customer_id
            limit 1
        ) as found
    ))
)
insert into timer (tenant_id, customer_id, partition, due_at)
select tenant_id, customer_id, $1, due_at
from unnest($4::text[], $5::text[], $6::bigint[]) as due (tenant_id, customer_id, due_at)
on conflict (tenant_id, customer_id) do update
set due_at = excluded.due_at
where timer.due_at <> excluded.due_at
