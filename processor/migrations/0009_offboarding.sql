-- A tenant that was offboarded is not defined any more: a row without a definition says so, from its version on.
alter table tidemark.tenant_definition alter column definition drop not null;
-- A late event of a tenant that is defined again can be accepted again.
grant update on tidemark.accepted_late to tidemark_processor;
