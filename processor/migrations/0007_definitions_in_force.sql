-- What is in force can be loaded without every record ever applied: each tenant's newest definitions,
-- and the late events accepted so far.
create table tidemark.accepted_late (
    tenant_id    text not null,
    event_id     uuid not null,
    version      bigint not null,           -- the bundle's that accepted it first
    primary key (tenant_id, event_id)
);
alter table tidemark.accepted_late owner to tidemark_owner;
grant select, insert on tidemark.accepted_late to tidemark_processor;
alter table tidemark.accepted_late enable row level security;
alter table tidemark.accepted_late force row level security;
create policy processor on tidemark.accepted_late to tidemark_processor
    using (true) with check (true);

insert into tidemark.accepted_late (tenant_id, event_id, version)
select accepted.tenant_id, event.id::uuid, min(bundle.version)
from tidemark.bundle as bundle
cross join jsonb_each((bundle.bundle::jsonb) -> 'accepted_late') as accepted (tenant_id, events)
cross join jsonb_array_elements_text(accepted.events) as event (id)
where bundle.rejected is null
  and bundle.bundle like '%"accepted_late":{%'
group by accepted.tenant_id, event.id::uuid;

-- The format of a record. A binary that does not know it reads the definitions before it, and stands by.
alter table tidemark.bundle add column format int not null default 1;
alter table tidemark.tenant_definition add column format int not null default 1;
