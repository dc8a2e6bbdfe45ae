insert into position (tenant_id, journey, customer_id, stage, since)
select * from unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[])
on conflict (tenant_id, journey, customer_id) do update
set stage = excluded.stage,
    since = excluded.since
