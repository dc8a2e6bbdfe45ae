-- Serialises changes of generations in this database.
select pg_advisory_xact_lock(7236833463)
