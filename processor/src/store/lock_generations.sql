-- One change of the generations at a time in this database, whatever row it is about.
select pg_advisory_xact_lock(7236833463)
