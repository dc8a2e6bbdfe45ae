-- Stable views for BI tools. Runs with search_path set to the active generation's schema, which
-- resolves the names after `from`; runs again when another generation becomes active or this file
-- changes. Columns are never renamed, removed or moved: new ones come last.
--
-- security_invoker: row-level security applies to the caller, not to the view's owner.

create or replace view tidemark_views.customer with (security_invoker = true) as
select tenant_id,
       customer_id,
       tidemark.instant(first_seen_at) as first_seen_at,
       tidemark.instant(last_seen_at)  as last_seen_at,
       case band when 0 then 'low' when 1 then 'medium' when 2 then 'high' end as churn_band,
       tidemark.instant(evaluated_at)  as evaluated_at,
       definition_version
from customer;
comment on view tidemark_views.customer is 'One row per customer.';
comment on column tidemark_views.customer.tenant_id is 'The tenant whose customer it is.';
comment on column tidemark_views.customer.customer_id is 'The id the CRM gave the customer.';
comment on column tidemark_views.customer.first_seen_at is 'When the earliest event occurred.';
comment on column tidemark_views.customer.last_seen_at is 'When the newest event occurred.';
comment on column tidemark_views.customer.churn_band is
    'low, medium or high risk of being gone; null: never bought, so not scored.';
comment on column tidemark_views.customer.evaluated_at is
    'As of when segments, stages and band were last computed.';
comment on column tidemark_views.customer.definition_version is
    'Version of the definitions they were computed with.';

create or replace view tidemark_views.membership with (security_invoker = true) as
select tenant_id,
       segment,
       customer_id,
       tidemark.instant(since) as since,
       definition_version
from membership
join customer using (tenant_id, customer_id);
comment on view tidemark_views.membership is 'One row per segment and customer in it now.';
comment on column tidemark_views.membership.tenant_id is 'The tenant whose segment it is.';
comment on column tidemark_views.membership.segment is 'Name of the segment.';
comment on column tidemark_views.membership.customer_id is 'Who is in it.';
comment on column tidemark_views.membership.since is 'When the customer entered it.';
comment on column tidemark_views.membership.definition_version is
    'Version of the definitions the membership was last computed with.';

create or replace view tidemark_views.position with (security_invoker = true) as
select tenant_id,
       journey,
       customer_id,
       stage,
       tidemark.instant(since) as since
from position;
comment on view tidemark_views.position is
    'One row per journey and customer: the stage the customer stands in now.';
comment on column tidemark_views.position.tenant_id is 'The tenant whose journey it is.';
comment on column tidemark_views.position.journey is 'Name of the journey.';
comment on column tidemark_views.position.customer_id is 'Who stands there.';
comment on column tidemark_views.position.stage is 'Where.';
comment on column tidemark_views.position.since is 'When the stage was entered.';

create or replace view tidemark_views.change with (security_invoker = true) as
select id,
       tenant_id,
       customer_id,
       kind,
       name,
       from_value,
       to_value,
       tidemark.instant(effective_at) as effective_at,
       cause,
       cause_event_id,
       definition_version
from change;
comment on view tidemark_views.change is
    'One row per change of a segment membership, a stage or a churn band, ever.';
comment on column tidemark_views.change.id is 'Derived from the content: the same change, the same id.';
comment on column tidemark_views.change.tenant_id is 'The tenant whose customer it is.';
comment on column tidemark_views.change.customer_id is 'Who changed.';
comment on column tidemark_views.change.kind is 'segment, stage or band.';
comment on column tidemark_views.change.name is
    'Name of the segment or the journey; churn for a band.';
comment on column tidemark_views.change.from_value is
    'Before: the segment left, the stage, the band; null where there was none.';
comment on column tidemark_views.change.to_value is
    'After: the segment entered, the stage, the band; null where there is none.';
comment on column tidemark_views.change.effective_at is 'When it took effect.';
comment on column tidemark_views.change.cause is 'event, timer or definition.';
comment on column tidemark_views.change.cause_event_id is 'The event, where one was the cause.';
comment on column tidemark_views.change.definition_version is
    'Version of the definitions in force.';

create or replace view tidemark_views.rollup with (security_invoker = true) as
select tenant_id,
       kind,
       subject,
       date '1970-01-01' + day  as day,
       item,
       detail,
       nullif(currency, '')     as currency,
       sum(value)               as value
from rollup
group by tenant_id, kind, subject, day, item, detail, currency;
comment on view tidemark_views.rollup is
    'Sums over all customers, by kind, dimensions and day. docs/ARCHITECTURE.md lists the kinds.';
comment on column tidemark_views.rollup.tenant_id is 'The tenant whose rollup it is.';
comment on column tidemark_views.rollup.kind is 'What is counted, for example revenue.gross.';
comment on column tidemark_views.rollup.subject is
    'First dimension: what is asked for by name, for example a segment; empty where there is none.';
comment on column tidemark_views.rollup.day is 'The day in the tenant''s zone.';
comment on column tidemark_views.rollup.item is 'Second dimension; empty where there is none.';
comment on column tidemark_views.rollup.detail is 'Third dimension; empty where there is none.';
comment on column tidemark_views.rollup.currency is
    'Of the money, or of the orders counted; null of everything else.';
comment on column tidemark_views.rollup.value is 'How many, or how much in minor units.';

grant select on all tables in schema tidemark_views to tidemark_api, tidemark_processor;
