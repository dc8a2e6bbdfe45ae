-- The tables of one generation. Runs with search_path set to its new, empty schema (gen_<id>).
-- Instants are microseconds since 1970 (bigint), as folds use them, without a time zone.
-- Tables of rows that each commit rewrites, or that are deleted soon, are vacuumed once a fiftieth is
-- dead: at the default, a fifth, scans of keys would pass over many dead rows.

create table progress (
    topic       text not null,
    partition   int not null,
    epoch       bigint not null default 0,  -- the fence: raised by each claim
    nonce       uuid not null,              -- of the claim: an epoch lost with the database's last
                                            -- commits is issued again, a nonce is not
    commits     bigint not null default 0,  -- count of commits; shows whether a commit landed
    next_offset bigint not null default 0,  -- the first offset not folded
    clock       bigint not null,            -- the partition's clock; never goes back
    fired_to    bigint not null,            -- every timer due by then has fired; at most the clock
    change_seq  bigint not null default 0,  -- last sequence given in change_set
    definitions bigint not null default -1, -- version of the definitions in force here
    evaluation  int not null,               -- version by which its customers are, or are being, evaluated
    -- The identity of the log: the cluster, and the last record that was read.
    cluster          text,
    last_offset      bigint,
    last_appended_at bigint,                -- null: the record carries no time
    last_hash        bigint,
    wall_clock       boolean not null default false, -- the clock has followed the wall clock
    owner       text,
    backend_pid int,
    updated_at  timestamptz not null default now(),
    primary key (topic, partition)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The last sign of life of each partition's owner, and the end of the log, written beside the commits:
-- neither waits for the other. Only for what people and programs are told.
create table heartbeat (
    topic      text not null,
    partition  int not null,
    epoch      bigint not null,             -- of the claim that wrote it; a later one is not overwritten
    owner      text not null,
    consumer_group text not null,           -- of the owner: all processes should be of one
    log_end    bigint,                      -- last stable offset; null until the broker has answered
    log_end_at timestamptz,                 -- when the broker was asked for it
    seen_at    timestamptz not null,        -- when it was written
    primary key (topic, partition)
) with (fillfactor = 50);

-- Sum over customers of hash(customer, core state), modulo 2^128, per partition and tenant.
create table digest (
    tenant_id text collate "C" not null,
    partition int not null,
    customers bigint not null,
    events    bigint not null,              -- folded, without duplicates
    digest    bytea not null,               -- 16 bytes, big-endian
    primary key (tenant_id, partition)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The digest at every offset divisible by 50,000, for verification.
create table checkpoint (
    tenant_id   text collate "C" not null,
    partition   int not null,
    next_offset bigint not null,
    customers   bigint not null,
    digest      bytea not null,
    primary key (tenant_id, partition, next_offset)
);

create table customer (
    tenant_id          text collate "C" not null,
    customer_id        text collate "C" not null,
    partition          int not null,
    state              bytea not null,      -- core state, canonical
    evaluated          bytea not null,      -- outputs as last evaluated, with since and versions
    evaluated_at       bigint not null,
    definition_version bigint not null,     -- definitions of the last evaluation
    first_seen_at      bigint not null,
    last_seen_at       bigint not null,
    band               smallint,            -- churn band: 0 low, 1 medium, 2 high; null not scored
    tracked            bytea,               -- tracked counters; null without any
    value_minor        bigint,              -- value (CLV) of a year as of the last purchase, in minor
                                            -- units; null if not scored or value is not trained
    primary key (tenant_id, customer_id)
) with (fillfactor = 80);
-- Re-evaluation walks a tenant's customers of one partition. None of its columns ever changes,
-- so updates stay HOT.
create index customer_partition on customer (tenant_id, partition, customer_id);
create index customer_band on customer (tenant_id, band, customer_id);
-- Customers by value. It is empty for a tenant without a trained value model; otherwise it changes
-- only with purchases.
create index customer_value on customer (tenant_id, band, value_minor, customer_id)
    where value_minor is not null;

-- The customers of which a commit writes 64 KiB or more: without it, the largest could only be found by
-- reading every customer. Few, so it has no index by size; an index on customer would cost every update of
-- every customer.
create table large_customer (
    tenant_id   text collate "C" not null,
    customer_id text collate "C" not null,
    partition   int not null,
    bytes       bigint not null,            -- of state, tracked and evaluated
    primary key (tenant_id, customer_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- Computed under customer.definition_version, the definitions of the customer's last evaluation.
create table membership (
    tenant_id   text collate "C" not null,
    segment     text collate "C" not null,
    customer_id text collate "C" not null,
    since       bigint not null,
    primary key (tenant_id, segment, customer_id)
);

-- The stage of each customer in each journey.
create table position (
    tenant_id   text collate "C" not null,
    journey     text collate "C" not null,
    customer_id text collate "C" not null,
    stage       text collate "C" not null,
    since       bigint not null,
    primary key (tenant_id, journey, customer_id)
);
-- Stage before journey, so that no lookup by (tenant, journey, customer) mistakes it for the key.
create index position_stage on position (tenant_id, stage, journey, customer_id);

-- Counts, sharded by partition so that hot rows do not contend: read them with sum().
-- kind: segment (name = segment), stage (name = journey/stage), band (name = low | medium | high),
-- rfm (name = the cell's three digits), cluster (name = its number), renewal_band (as band, of
-- subscribers), offer (name = action/offered | accepted), offer_segment (name =
-- action/segment/offered | accepted: of current members), customers, parked (name = reason),
-- discarded (name = reason), forwarded (name = cause)
create table counter (
    tenant_id text collate "C" not null,
    kind      text collate "C" not null,
    name      text collate "C" not null,
    partition int not null,
    value     bigint not null,
    primary key (tenant_id, kind, name, partition)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- Daily aggregates, sharded by partition like the counters, so read with sum(). The kinds and their
-- dimensions are listed in projections/src/rollups/kind.rs. Queries name the `subject`, hence it precedes
-- the day in the key. A numeric cannot overflow, whatever the events of a tenant.
create table rollup (
    tenant_id text collate "C" not null,
    kind      text collate "C" not null,
    subject   text collate "C" not null,
    day       int not null,                 -- in the tenant's zone, since 1970-01-01
    item      text collate "C" not null,
    detail    text collate "C" not null,
    currency  text collate "C" not null,    -- for amounts and orders; else empty
    partition int not null,
    value     numeric not null,
    primary key (tenant_id, kind, subject, day, item, detail, currency, partition)
) with (fillfactor = 70);

-- The instant by which a customer must be evaluated next; a customer that only events change has none. It
-- may be too early, because events that move it later do not write it: then an evaluation has no effect.
create table timer (
    tenant_id   text collate "C" not null,
    customer_id text collate "C" not null,
    partition   int not null,
    due_at      bigint not null,
    primary key (tenant_id, customer_id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
-- Many fall due at the same midnight, so the order within an instant is in the index too.
create index timer_due on timer (partition, due_at, tenant_id, customer_id);

-- Changes of discrete outputs: one row per customer and commit, because a row and its index entries
-- cost more than the content of a change. Read it through the view `change`.
create table change_set (
    partition          int not null,
    seq                bigint not null,     -- contiguous per partition
    tenant_id          text collate "C" not null,
    customer_id        text collate "C" not null,
    definition_version bigint not null,
    -- An array with an object for each evaluation that found changes, in order:
    -- at (the effective time), by (the event's id, or timer, or definition), and, if not empty, entered
    -- and left (segments), stages ([journey, from, to]), band, rfm, cluster and renewal_band
    -- ([from, to]) and triggers ([name, action]).
    changes            json not null,
    primary key (partition, seq)
);
create index change_customer on change_set (tenant_id, customer_id, seq);

-- One row per change; (seq, step, kind, name) identifies it within a partition, (seq, step) orders it.
-- The id is derived from the content, so that folding again after a crash gives the same id: a UUID of
-- version 8 made of the SHA-256 of the fields, none of which contains the separator.
create view change with (security_invoker = true) as
select set.partition,
       set.seq,
       evaluation.step,
       (left(hash, 12) || '8' || substr(hash, 14, 3) || '8' || substr(hash, 18, 15))::uuid as id,
       set.tenant_id,
       set.customer_id,
       moved.kind,
       moved.name,
       moved.from_value,
       moved.to_value,
       effective_at,
       case when by in ('timer', 'definition', 'evaluation') then by else 'event' end as cause,
       case when by not in ('timer', 'definition', 'evaluation') then by::uuid end as cause_event_id,
       set.definition_version
from change_set as set
cross join lateral json_array_elements(set.changes) with ordinality as evaluation (found, step)
cross join lateral (
    select (found ->> 'at')::bigint as effective_at,
           found ->> 'by' as by
) as stamp
cross join lateral (
    select 'segment' as kind, name, null as from_value, name as to_value
    from json_array_elements_text(found -> 'entered') as name
    union all
    select 'segment', name, name, null
    from json_array_elements_text(found -> 'left') as name
    union all
    select 'stage', stage ->> 0, stage ->> 1, stage ->> 2
    from json_array_elements(found -> 'stages') as stage
    union all
    select 'band', 'churn', found -> 'band' ->> 0, found -> 'band' ->> 1
    where found -> 'band' is not null
    union all
    select placed, placed, found -> placed ->> 0, found -> placed ->> 1
    from unnest(array['rfm', 'cluster', 'renewal_band']) as placed
    where found -> placed is not null
    union all
    select 'trigger', fired ->> 0, null, fired ->> 1
    from json_array_elements(found -> 'triggers') as fired
) as moved
cross join lateral (
    select encode(sha256(convert_to(concat_ws(
        E'\x1f', set.tenant_id, set.customer_id, moved.kind, moved.name,
        coalesce(moved.from_value, ''), coalesce(moved.to_value, ''), effective_at, by,
        set.definition_version
    ), 'UTF8')), 'hex') as hash
) as content;

-- Events that could not be folded, with all their bytes.
create table parked (
    topic       text not null,
    partition   int not null,
    "offset"    bigint not null,
    tenant_id   text collate "C",           -- if it could be read
    customer_id text collate "C",
    source      text collate "C",           -- the system that sent it, if it could be read
    reason      text not null,
    detail      text not null,
    field       text,                       -- for `invalid`
    key         bytea,
    value       bytea,
    headers     bytea not null,             -- JSON: [[name, base64 value or null], …];
                                            -- a name that is not UTF-8 is {"base64": …}
    appended_at bigint not null,
    parked_at   timestamptz not null default now(),
    primary key (topic, partition, "offset")
);
create index parked_reason on parked (tenant_id, reason, partition, "offset");

-- The bytes of parked events, for the quota of a tenant in a partition: keys, values, headers, and 256 for
-- each row. Written with every row of `parked`.
create table parked_bytes (
    tenant_id text collate "C" not null,    -- '' for events of which no tenant could be read
    partition int not null,
    bytes     bigint not null,
    primary key (tenant_id, partition)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- Operator commands for parked events. Only the owner of the partition applies them, in its own
-- transaction behind the fence. Settled rows stay: they distinguish discarded events from lost ones.
create table parked_request (
    request      uuid not null,             -- one command
    topic        text not null,
    partition    int not null,
    "offset"     bigint not null,
    tenant_id    text collate "C",          -- if it could be read
    action       text not null,             -- redrive, discard, republished
    subject      text not null,             -- the operator
    note         text,                      -- the operator's reason
    requested_at timestamptz not null default now(),
    outcome      text,                      -- folded, known, parked, discarded, republished, gone;
                                            -- null while it is pending
    reason       text,                      -- the reason of parking, before or now
    detail       text,
    settled_at   timestamptz,
    primary key (request, topic, partition, "offset")
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
create index parked_request_waiting
    on parked_request (topic, partition, "offset", requested_at, request) where outcome is null;

-- Scopes that are not folded now: a tenant, or one customer (customer_id is '' for a whole tenant). Their
-- records stay in the log; their clock and timers stand still. Once a scope may go on, the log is read again
-- from next_offset, until it meets the partition's position: then its row goes.
create table deferral (
    partition   int not null,
    tenant_id   text collate "C" not null,
    customer_id text collate "C" not null,
    reason      text not null,              -- halted, quota, undefined, quarantined
    detail      text not null,
    from_offset bigint not null,            -- the first record that was not folded
    next_offset bigint not null,            -- the first record not folded yet
    clock       bigint not null,            -- of the scope
    fired_to    bigint not null,            -- every timer of the scope due by then has fired
    definitions bigint not null,            -- version in force for the scope; -1 before its first
    evaluation  int not null,               -- version by which its customers are, or are being, evaluated
    events      bigint not null,            -- passed over by the partition so far
    -- Of a customer: what the partition has for a whole tenant in tables of its own.
    tracked      json not null,             -- [[leaf, exact_from], …]
    redefined_at bigint,                    -- the clock at which `definitions` came into force, if the
                                            -- customer was not evaluated with them yet
    binary_version text not null,           -- of the processor that could not fold it
    began_at  timestamptz not null default now(),
    resume_by text,                         -- the operator that resumed it
    primary key (partition, tenant_id, customer_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The partition's clock at records where it is not the latest append time up to there: an idle clock had
-- passed it, or the time was a producer's and was capped. Kept while a scope is deferred, for catching up.
create table clock_mark (
    partition int not null,
    "offset"  bigint not null,
    clock     bigint not null,
    primary key (partition, "offset")
);

-- The activations of definitions: a rebuild follows them.
create table activation (
    partition   int not null,
    next_offset bigint not null,            -- from this offset on
    version     bigint not null,
    clock       bigint not null,            -- the partition's clock at activation
    primary key (partition, version)
);

-- The tracked counters that definitions need beside core state, and the instant from which they are
-- exact in the partition. Deleted when no definition needs them.
create table tracked_leaf (
    tenant_id  text collate "C" not null,
    partition  int not null,
    leaf       bigint not null,             -- hash of the activity's name and its conditions
    exact_from bigint not null,             -- counts events that occurred from then on
    primary key (tenant_id, partition, leaf)
);

-- Background re-evaluation of a tenant's customers after its definitions changed.
create table reevaluation (
    tenant_id text collate "C" not null,
    partition int not null,
    version   bigint not null,              -- of the new definitions
    activated_at bigint not null,           -- the partition's clock at activation
    cursor    text collate "C",             -- last evaluated customer
    evaluated bigint not null default 0,
    done      boolean not null default false,
    primary key (tenant_id, partition)
);

-- Tenants that were offboarded: how far their rows of the partition are erased. Stays, as the account of it.
create table offboarding (
    tenant_id   text collate "C" not null,
    partition   int not null,
    version     bigint not null,            -- of the definitions that offboarded the tenant
    next_offset bigint not null,            -- what was parked from this offset on is not erased
    customers   bigint not null default 0,  -- erased so far
    "rows"      bigint not null default 0,  -- erased so far, of all tables
    begun_at    timestamptz not null default now(),
    done_at     timestamptz,                -- null while rows are being erased
    primary key (tenant_id, partition)
) with (fillfactor = 50);

-- The invalidations of response caches by the last commits of each partition: one row per commit, none
-- for a commit that only moved a clock. Contains no names; see projections/src/invalidation.rs.
create table invalidation (
    partition int not null,
    commits   bigint not null,              -- progress.commits after the commit
    epoch     bigint not null,              -- the epoch of the commit
    content   bytea not null,
    primary key (partition, commits)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
