-- Segments left, then segments entered. No key is in both.
with gone as (
    delete from membership
    -- Key by key, as load_customers.sql says; only the owner of the partition moves these rows.
    where ctid = any (array(
        select found.ctid
        from unnest($1::text[], $2::text[], $3::text[])
            as has_left (tenant_id, segment, customer_id)
        cross join lateral (
            select ctid
            from membership
            where membership.tenant_id = has_left.tenant_id
              and membership.segment = has_left.segment
              and membership.customer_id = has_left.customer_id
            limit 1
        ) as found
    ))
)
insert into membership (tenant_id, segment, customer_id, since)
select *
from unnest($4::text[], $5::text[], $6::text[], $7::bigint[])
on conflict (tenant_id, segment, customer_id) do update
set since = excluded.since
