-- The privileges and policies of the tables of one generation. Runs with search_path set to its schema, right
-- after generation.sql. Written over the catalog, so that no table can be forgotten.
do $$
declare
    tables record;
begin
    execute format('grant usage on schema %I to tidemark_processor, tidemark_api',
                   current_schema());
    for tables in
        select relname as name,
               exists (
                   select from pg_attribute
                   where attrelid = pg_class.oid and attname = 'tenant_id' and not attisdropped
               ) as has_tenant
        from pg_class
        where relnamespace = current_schema()::regnamespace
          and relkind in ('r', 'p')
    loop
        execute format('grant select, insert, update, delete on %I to tidemark_processor',
                       tables.name);
        continue when not tables.has_tenant;
        -- Forced: the owner is bound too, and has no policy.
        execute format('alter table %I enable row level security', tables.name);
        execute format('alter table %I force row level security', tables.name);
        execute format('create policy processor on %I to tidemark_processor
                        using (true) with check (true)', tables.name);
        -- A used connection returns '' for a setting that was once set: no tenant either.
        execute format('create policy api on %I for select to tidemark_api
                        using (tenant_id = nullif(current_setting(''tidemark.tenant'', true), ''''))',
                       tables.name);
    end loop;
end
$$;

-- The tables of the read API. Excluded: timer (internal), the bytes of parked events, checkpoint and
-- activation (for rebuilds).
grant select on customer, membership, position, counter, rollup, digest, change_set, change, reevaluation,
    tracked_leaf to tidemark_api;
grant select (
    partition, tenant_id, customer_id, reason, from_offset, next_offset, clock, fired_to, events
) on deferral to tidemark_api;
grant select (tenant_id, partition, done_at) on offboarding to tidemark_api;
-- Without a tenant: the progress of each partition, but not its owner.
grant select (
    topic, partition, epoch, commits, next_offset, clock, fired_to, change_seq, definitions, updated_at
) on progress to tidemark_api;
-- Without a tenant: how fresh the progress is, but not its owner.
grant select (topic, partition, epoch, log_end, log_end_at, seen_at) on heartbeat to tidemark_api;
grant select (
    topic, partition, "offset", tenant_id, source, reason, detail, field, appended_at
) on parked to tidemark_api;
-- Without a named tenant: the invalidations of cached responses.
grant select on invalidation to tidemark_api;
