-- Who we are after `set role`, and whether row-level security binds us.
select
    rolname::text as role,
    rolsuper or rolbypassrls as is_privileged
from pg_catalog.pg_roles
where rolname = current_user
