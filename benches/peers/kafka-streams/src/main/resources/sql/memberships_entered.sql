insert into membership (tenant_id, segment, customer_id, since)
select * from unnest(?::text[], ?::text[], ?::text[], ?::bigint[])
on conflict (tenant_id, segment, customer_id) do update set since = excluded.since
