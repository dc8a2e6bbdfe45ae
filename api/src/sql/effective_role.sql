-- The role in effect after `set role`, whether it bypasses row-level security, and whether it has the
-- privileges of the processor, whose policies show the rows of all tenants.
select
    rolname::text as role,
    rolsuper or rolbypassrls as is_privileged,
    exists (
        select from pg_catalog.pg_roles as processor
        where processor.rolname = 'tidemark_processor' and pg_has_role(current_user, processor.oid, 'usage')
    ) as is_processor
from pg_catalog.pg_roles
where rolname = current_user
