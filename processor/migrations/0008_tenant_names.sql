-- Definitions that differ from earlier ones only by the tenant's name: customers stay evaluated under the
-- earlier version. Null: evaluated under this version.
alter table tidemark.tenant_definition add column evaluated_as bigint;
