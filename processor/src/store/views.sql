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
comment on view tidemark_views.customer is 'One row per customer with at least one event.';
comment on column tidemark_views.customer.tenant_id is 'Id of the tenant.';
comment on column tidemark_views.customer.customer_id is 'Id of the customer in the CRM.';
comment on column tidemark_views.customer.first_seen_at is 'Time of the earliest event.';
comment on column tidemark_views.customer.last_seen_at is 'Time of the latest event.';
comment on column tidemark_views.customer.churn_band is
    'Risk that the customer has churned: low, medium or high. Null for customers without a purchase.';
comment on column tidemark_views.customer.evaluated_at is
    'Time as of which segments, stages and churn band were last evaluated.';
comment on column tidemark_views.customer.definition_version is
    'Version of the definitions that the customer was evaluated with.';

create or replace view tidemark_views.membership with (security_invoker = true) as
select tenant_id,
       segment,
       customer_id,
       tidemark.instant(since) as since,
       definition_version
from membership
join customer using (tenant_id, customer_id);
comment on view tidemark_views.membership is 'One row per current member of a segment.';
comment on column tidemark_views.membership.tenant_id is 'Id of the tenant.';
comment on column tidemark_views.membership.segment is 'Name of the segment.';
comment on column tidemark_views.membership.customer_id is 'Id of the member.';
comment on column tidemark_views.membership.since is 'Time at which the customer entered the segment.';
comment on column tidemark_views.membership.definition_version is
    'Version of the definitions that the customer was evaluated with.';

create or replace view tidemark_views.position with (security_invoker = true) as
select tenant_id,
       journey,
       customer_id,
       stage,
       tidemark.instant(since) as since
from position;
comment on view tidemark_views.position is
    'One row per journey and customer: the current stage of the customer.';
comment on column tidemark_views.position.tenant_id is 'Id of the tenant.';
comment on column tidemark_views.position.journey is 'Name of the journey.';
comment on column tidemark_views.position.customer_id is 'Id of the customer.';
comment on column tidemark_views.position.stage is 'Name of the stage.';
comment on column tidemark_views.position.since is 'Time at which the customer entered the stage.';

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
    'One row per change of a segment membership, stage, churn band, RFM cell, cluster or renewal band, and per trigger fired. The history is complete.';
comment on column tidemark_views.change.id is 'Id of the change, derived from its content.';
comment on column tidemark_views.change.tenant_id is 'Id of the tenant.';
comment on column tidemark_views.change.customer_id is 'Id of the customer.';
comment on column tidemark_views.change.kind is 'segment, stage, band, rfm, cluster, renewal_band or trigger.';
comment on column tidemark_views.change.name is
    'Name of the segment, journey or trigger; churn for a churn band; the kind for rfm, cluster and renewal_band.';
comment on column tidemark_views.change.from_value is
    'Value before the change: segment left, stage, band, cell or cluster. Null if there was none.';
comment on column tidemark_views.change.to_value is
    'Value after the change: segment entered, stage, band, cell or cluster; action of a trigger. Null if there is none.';
comment on column tidemark_views.change.effective_at is 'Time at which the change took effect.';
comment on column tidemark_views.change.cause is 'Cause of the change: event, timer or definition.';
comment on column tidemark_views.change.cause_event_id is 'Id of the event that caused the change. Null for other causes.';
comment on column tidemark_views.change.definition_version is
    'Version of the definitions in force at the change.';

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
    'Daily sums over all customers of a tenant, by kind and up to three dimensions. The column comments list the dimensions of each kind.';
comment on column tidemark_views.rollup.tenant_id is 'Id of the tenant.';
comment on column tidemark_views.rollup.kind is 'Kind of the sum, for example revenue.gross.';
comment on column tidemark_views.rollup.subject is
    'segment.*: the segment. stage.* and journey.*: the journey. band.*: the score. conversation.in, .out, .rated, .sentiment, .response and .intent: the channel. Empty for other kinds.';
comment on column tidemark_views.rollup.day is 'Day in the time zone of the tenant.';
comment on column tidemark_views.rollup.item is 'stage.*, journey.entered, .advanced and .completed: the stage. journey.flow: the stage left, empty at the entry of the journey. journey.stay: the stages left and entered (from>to). band.*: the band. conversation.*: the agent. campaign.*: the campaign. Empty for other kinds.';
comment on column tidemark_views.rollup.detail is 'journey.flow: the stage entered. journey.stay: the bucket of the dwell time in seconds. conversation.response: the bucket of the response time. conversation.intent: the intent. conversation.outcome: the outcome. campaign.*: the channel. Empty for other kinds.';
comment on column tidemark_views.rollup.currency is
    'Currency of amounts and of counted orders. Null for other kinds.';
comment on column tidemark_views.rollup.value is 'Count, or amount in minor units of the currency.';

grant select on all tables in schema tidemark_views to tidemark_api, tidemark_processor;
