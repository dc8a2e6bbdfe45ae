-- As Tidemark's tables of the same names, in what both keep.
create table if not exists progress (
    partition   int primary key,
    epoch       bigint not null,
    next_offset bigint not null
) with (fillfactor = 50);

create table if not exists customer (
    tenant_id     text collate "C" not null,
    customer_id   text collate "C" not null,
    partition     int not null,
    state         bytea not null,
    first_seen_at bigint not null,
    last_seen_at  bigint not null,
    band          smallint,
    primary key (tenant_id, customer_id)
) with (fillfactor = 80);
create index if not exists customer_band on customer (tenant_id, band, customer_id);

create table if not exists membership (
    tenant_id   text collate "C" not null,
    segment     text collate "C" not null,
    customer_id text collate "C" not null,
    since       bigint not null,
    primary key (tenant_id, segment, customer_id)
);

create table if not exists position (
    tenant_id   text collate "C" not null,
    journey     text collate "C" not null,
    customer_id text collate "C" not null,
    stage       text collate "C" not null,
    since       bigint not null,
    primary key (tenant_id, journey, customer_id)
);
create index if not exists position_stage on position (tenant_id, stage, journey, customer_id);

create table if not exists counter (
    tenant_id text collate "C" not null,
    kind      text collate "C" not null,
    name      text collate "C" not null,
    partition int not null,
    value     bigint not null,
    primary key (tenant_id, kind, name, partition)
) with (fillfactor = 50);
