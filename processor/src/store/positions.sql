-- Journeys left, then stages entered. No key is in both.
with gone as (
    delete from position
    -- Key by key, as load_customers.sql says; only the owner of the partition moves these rows.
    where ctid = any (array(
        select found.ctid
        from unnest($1::text[], $2::text[], $3::text[])
            as has_left (tenant_id, journey, customer_id)
        cross join lateral (
            select ctid
            from position
            where position.tenant_id = has_left.tenant_id
              and position.journey = has_left.journey
              and position.customer_id = has_left.customer_id
            limit 1
        ) as found
    ))
)
insert into position (tenant_id, journey, customer_id, stage, since)
select *
from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
on conflict (tenant_id, journey, customer_id) do update
set stage = excluded.stage,
    since = excluded.since
