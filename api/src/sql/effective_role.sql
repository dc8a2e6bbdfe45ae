-- The role in effect after `set role`, and whether it bypasses row-level security.
select
    rolname::text as role,
    rolsuper or rolbypassrls as is_privileged
from pg_catalog.pg_roles
where rolname = current_user
