-- Roles and schemas, before the first migration. Runs each time, changes nothing the second time,
-- and needs no superuser: CREATEROLE, and CREATE on the database, are enough.
--
-- All roles are NOLOGIN groups: a login role is granted one of them and Tidemark does `set role`.
--   tidemark_owner      owns every table and view; plain (no superuser, no bypassrls), so that a
--                       view it owns never reads past row-level security
--   tidemark_processor  reads and writes everything, by policy
--   tidemark_api        selects one tenant's rows, named by `tidemark.tenant`; inserts audit rows
do $$
declare
    wanted text;
begin
    -- One at a time in this database; roles belong to the whole cluster, so another database's
    -- migration may still come first.
    perform pg_advisory_xact_lock(7236833462);
    foreach wanted in array array['tidemark_owner', 'tidemark_processor', 'tidemark_api'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin', wanted);
            exception when duplicate_object or unique_violation then
                null; -- another database's migration made it
            end;
        end if;
        if exists (
            select from pg_roles
            where rolname = wanted and (rolsuper or rolbypassrls)
        ) then
            raise exception 'role % reads past row-level security', wanted
                using errcode = 'invalid_role_specification',
                      hint = format('alter role %I nosuperuser nobypassrls', wanted);
        end if;
    end loop;
    -- Only a member of the owner can give things to it.
    if not pg_has_role('tidemark_owner', 'usage') then
        grant tidemark_owner to current_user;
    end if;
    foreach wanted in array array['tidemark', 'tidemark_views'] loop
        if not exists (select from pg_namespace where nspname = wanted) then
            execute format('create schema %I authorization tidemark_owner', wanted);
        end if;
    end loop;
end
$$;
