-- What all generations share. Roles and schemas are made before (src/store/prepare.sql), since this
-- table of migrations lives in one of them.
alter table tidemark.migration owner to tidemark_owner;

grant usage on schema tidemark, tidemark_views to tidemark_processor, tidemark_api;

-- Microseconds since 1970, as tables keep them, to what BI tools show. Before 4713 BC, where
-- timestamps of Postgres begin: -infinity. Exact, unlike to_timestamp of a fraction.
create function tidemark.instant(micros bigint) returns timestamptz
    language sql immutable parallel safe
    return case
        when micros < -210866803200000000 then timestamptz '-infinity'
        else to_timestamp(micros / 1000000) + (micros % 1000000) * interval '1 microsecond'
    end;
alter function tidemark.instant(bigint) owner to tidemark_owner;

-- One row per generation of projections; its tables live in schema gen_<id>.
create table tidemark.generation (
    id           int primary key,
    fold_version int not null,              -- a processor folds only generations of its own version
    topic        text not null,             -- the log it is folded from
    partitions   int not null,              -- of that topic; another count is another generation
    partitioner  text not null,             -- part of the topic's configuration
    state        text not null check (state in ('building', 'active', 'retired')),
    created_at   timestamptz not null default now(),
    promoted_at  timestamptz
);
-- At most one is active.
create unique index generation_active on tidemark.generation ((true)) where state = 'active';

-- The definitions topic as rows, so that the API knows what the processor knew.
-- A row per record; rejected ones are kept with the reason, since the log keeps them too.
create table tidemark.bundle (
    version      bigint primary key,        -- offset on tidemark.definitions
    appended_at  bigint not null,           -- microseconds
    bundle       text not null,             -- the record, as JSON text
    rejected     text                       -- why it was not applied, else null
);
-- The tenants a bundle defines: what the API may read of it.
create table tidemark.tenant_definition (
    tenant_id    text not null,
    version      bigint not null,           -- the bundle's
    appended_at  bigint not null,           -- microseconds
    definition   text not null,             -- TenantSource as JSON text
    primary key (tenant_id, version)
);
create table tidemark.audit (
    id           bigint generated always as identity primary key,
    tenant_id    text not null,
    at           timestamptz not null default now(),
    subject      text not null,             -- `sub` of the token
    role         text not null,
    action       text not null,             -- for example customer.attributes
    target       text,                      -- for example the customer id
    request_id   text
);
create index audit_tenant_at on tidemark.audit (tenant_id, at);

alter table tidemark.generation owner to tidemark_owner;
alter table tidemark.bundle owner to tidemark_owner;
alter table tidemark.tenant_definition owner to tidemark_owner;
alter table tidemark.audit owner to tidemark_owner;

grant select, insert, update on tidemark.generation, tidemark.bundle, tidemark.tenant_definition
    to tidemark_processor;
grant select, insert on tidemark.audit to tidemark_processor;
grant select on tidemark.generation, tidemark.tenant_definition to tidemark_api;
grant insert on tidemark.audit to tidemark_api;

-- Bundles hold many tenants' texts: no policy for the API, so it sees none.
alter table tidemark.bundle enable row level security;
alter table tidemark.bundle force row level security;
create policy processor on tidemark.bundle to tidemark_processor using (true) with check (true);

alter table tidemark.tenant_definition enable row level security;
alter table tidemark.tenant_definition force row level security;
create policy processor on tidemark.tenant_definition to tidemark_processor
    using (true) with check (true);
create policy api on tidemark.tenant_definition for select to tidemark_api
    using (tenant_id = nullif(current_setting('tidemark.tenant', true), ''));

alter table tidemark.audit enable row level security;
alter table tidemark.audit force row level security;
create policy processor on tidemark.audit to tidemark_processor using (true) with check (true);
create policy api on tidemark.audit for insert to tidemark_api
    with check (tenant_id = nullif(current_setting('tidemark.tenant', true), ''));
