-- The privileges of the migrating login, so that an error names the missing one.
select current_user                                                  as login,
       current_setting('server_version_num')::int                    as version_number,
       current_setting('server_version')                             as version,
       current_database()                                            as database,
       (select rolsuper or rolcreaterole from pg_roles where rolname = current_user)
                                                                     as may_create_roles,
       has_database_privilege(current_database(), 'create')          as may_create_schemas,
       (select count(*)
        from pg_roles
        where rolname in ('tidemark_owner', 'tidemark_processor', 'tidemark_api')) = 3
                                                                     as has_roles,
       coalesce((select pg_has_role(oid, 'usage') from pg_roles where rolname = 'tidemark_owner'),
                false)                                               as is_owner
