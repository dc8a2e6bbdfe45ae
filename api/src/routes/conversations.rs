//! `GET /v1/conversations`: messages and conversations by agent, channel or day.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tidemark_projections::invalidation::AggregateKind;
use tidemark_projections::rollups::calendar;
use tidemark_projections::rollups::{ConversationRollup, RollupKind};
use tidemark_projections::state::conversations::Histogram;
use tidemark_schemas::event::Channel;
use utoipa::ToSchema;

use super::rollups::{self, Day, Days, Rollup, Selection, within_64_bits};
use crate::database::Snapshot;
use crate::http::{Problem, QueryParams};
use crate::query::{Query, Reader, RequestContext};
use crate::response_cache::Dependency;

/// The largest number of items in an answer; of the rest only the number is returned.
const MOST_ITEMS: usize = 1_000;
const MOST_INTENTS: usize = 50;

/// Messages and conversations by agent, channel or day
#[utoipa::path(
    get,
    path = "/v1/conversations",
    operation_id = "get_conversations",
    tag = "analytics",
    params(ConversationsParams),
    responses((status = 200, description = "The totals of messages and conversations.", body = Conversations)),
)]
pub(crate) async fn conversations(
    State(reader): State<Reader>,
    QueryParams(params): QueryParams<ConversationsParams>,
    context: RequestContext,
) -> Result<Response, Problem> {
    let days = Days::parse(params.from.as_deref(), params.to.as_deref())?;
    let by = By::parse(params.by.as_deref())?;
    reader
        .respond(&context, &ConversationsQuery { days, by })
        .await
}

/// The days, and the dimension to group by.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationsParams {
    /// The first day (ISO 8601). By default 29 days before `to`.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day (ISO 8601). By default, and at most, today, by the watermark. A range of more than
    /// 1,100 days, or one that begins after today, is refused.
    #[param(format = Date)]
    to: Option<String>,
    /// The dimension to group by: `agent` (default), `channel` or `day`.
    #[param(pattern = "^(agent|channel|day)$", default = "agent")]
    by: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Conversations {
    /// The first day; null until the tenant is defined.
    #[schema(required)]
    from: Option<Day>,
    /// The last day; null until the tenant is defined.
    #[schema(required)]
    to: Option<Day>,
    /// The totals over all items.
    total: ConversationMetrics,
    /// The items, by agent, channel or day. If there are more than 1,000, those with the most
    /// messages.
    items: Vec<ConversationsItem>,
    /// The number of items left out of `items`.
    left_out: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct ConversationsItem {
    /// The agent, the channel or the day. Null for messages without an agent, and, grouped by
    /// channel, for closed conversations, because their events have no channel.
    #[schema(required)]
    key: Option<String>,
    /// The totals of the item.
    said: ConversationMetrics,
}

/// Totals of messages and conversations. Messages count on the day they were exchanged,
/// conversations on the day they were closed.
#[derive(Debug, Serialize, ToSchema)]
struct ConversationMetrics {
    /// The number of messages from customers.
    inbound: i64,
    /// The number of messages to customers.
    outbound: i64,
    /// The mean sentiment, from -1 to 1; null if no message has a sentiment.
    #[schema(required)]
    mean_sentiment: Option<f64>,
    /// The number of messages with a response time.
    responses: u64,
    /// The median response time in milliseconds, at most a quarter too low; null if no message has
    /// a response time.
    #[schema(required)]
    median_response_ms: Option<u64>,
    /// The 90th percentile of the response time in milliseconds, at most a quarter too low; null if
    /// no message has a response time.
    #[schema(required)]
    p90_response_ms: Option<u64>,
    /// The number of messages by intent, if classified: the 50 most frequent intents.
    intents: BTreeMap<String, i64>,
    /// The number of closed conversations, by outcome.
    outcomes: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Agent,
    Channel,
    Day,
}

impl By {
    fn parse(text: Option<&str>) -> Result<Self, Problem> {
        match text {
            None | Some("agent") => Ok(Self::Agent),
            Some("channel") => Ok(Self::Channel),
            Some("day") => Ok(Self::Day),
            Some(other) => {
                let detail = format!("by is {other:?}; it must be agent, channel or day");
                Err(Problem::unprocessable("by", detail))
            }
        }
    }

    fn key(self, rollup: &Rollup) -> String {
        match self {
            Self::Agent => rollup.item.clone(),
            Self::Channel => rollup.subject.clone(),
            Self::Day => calendar::date_text(rollup.day),
        }
    }
}

#[derive(Debug)]
struct ConversationsQuery {
    days: Days,
    by: By,
}

impl Query for ConversationsQuery {
    type Answer = Conversations;

    fn dependency(&self) -> Option<Dependency> {
        Some(Dependency::Kinds(&[AggregateKind::Rollups]))
    }

    async fn read(&self, snapshot: &mut Snapshot<'_>) -> Result<Conversations, Problem> {
        let Some(definitions) = snapshot.definitions().await? else {
            return Ok(Conversations {
                from: None,
                to: None,
                total: Sums::default().into_metrics(),
                items: Vec::new(),
                left_out: 0,
            });
        };
        let span = self.days.span(snapshot, &definitions)?;
        let selection = Selection {
            kinds: &ConversationRollup::ALL.map(RollupKind::Conversation),
            subjects: &channels(),
            by_day: self.by == By::Day,
            by_item: self.by == By::Agent,
        };
        let mut total = Sums::default();
        let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
        for rollup in rollups::read(snapshot, selection, span).await? {
            total.add(&rollup);
            sums.entry(self.by.key(&rollup)).or_default().add(&rollup);
        }
        let mut items: Vec<(String, Sums)> = sums.into_iter().collect();
        let left_out = items.len().saturating_sub(MOST_ITEMS);
        if left_out > 0 {
            items.sort_by_key(|(_, sums)| Reverse(sums.inbound + sums.outbound));
            items.truncate(MOST_ITEMS);
            items.sort_by(|left, right| left.0.cmp(&right.0));
        }
        let items = items.into_iter().map(|(key, sums)| ConversationsItem {
            key: Some(key).filter(|key| !key.is_empty()),
            said: sums.into_metrics(),
        });
        Ok(Conversations {
            from: Some(Day(span.from)),
            to: Some(Day(span.to)),
            total: total.into_metrics(),
            items: items.collect(),
            left_out,
        })
    }
}

/// Returns every channel, and the empty name for rollups without one.
pub(super) fn channels() -> Vec<&'static str> {
    let known = Channel::ALL.iter().map(|channel| channel.as_str());
    known.chain([""]).collect()
}

#[derive(Debug, Default)]
struct Sums {
    inbound: i128,
    outbound: i128,
    rated: i128,
    sentiment_thousandths: i128,
    response_ms: Histogram,
    intents: BTreeMap<String, i128>,
    outcomes: BTreeMap<String, i128>,
}

impl Sums {
    fn add(&mut self, rollup: &Rollup) {
        let RollupKind::Conversation(kind) = rollup.kind else {
            return;
        };
        let detail = || rollup.detail.clone();
        let sum = match kind {
            ConversationRollup::MessagesIn => &mut self.inbound,
            ConversationRollup::MessagesOut => &mut self.outbound,
            ConversationRollup::MessagesRated => &mut self.rated,
            ConversationRollup::Sentiment => &mut self.sentiment_thousandths,
            ConversationRollup::Intents => self.intents.entry(detail()).or_default(),
            ConversationRollup::Outcomes => self.outcomes.entry(detail()).or_default(),
            ConversationRollup::Responses => {
                let values = u32::try_from(rollup.value).unwrap_or(u32::MAX);
                if let Ok(bucket) = rollup.detail.parse() {
                    self.response_ms.add_to(bucket, values);
                }
                return;
            }
        };
        *sum += rollup.value;
    }

    fn into_metrics(self) -> ConversationMetrics {
        let mut intents: Vec<(String, i128)> = self.intents.into_iter().collect();
        intents.sort_by_key(|(_, messages)| Reverse(*messages));
        intents.truncate(MOST_INTENTS);
        let counts = |counts: Vec<(String, i128)>| {
            let counts = counts.into_iter();
            counts
                .map(|(of, count)| (of, within_64_bits(count)))
                .collect()
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a mean, which needs fewer digits than a double has"
        )]
        let mean = self.sentiment_thousandths as f64 / (1_000.0 * self.rated as f64);
        ConversationMetrics {
            inbound: within_64_bits(self.inbound),
            outbound: within_64_bits(self.outbound),
            mean_sentiment: (self.rated > 0).then_some(mean),
            responses: self.response_ms.count(),
            median_response_ms: self.response_ms.quantile(0.5),
            p90_response_ms: self.response_ms.quantile(0.9),
            intents: counts(intents),
            outcomes: counts(self.outcomes.into_iter().collect()),
        }
    }
}
