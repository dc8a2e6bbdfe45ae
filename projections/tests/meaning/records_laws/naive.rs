//! A second evaluator, deliberately simple: it reads the condition as it was written and looks at
//! the sorted list of all events. It shares no code with the first.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;
use tidemark_projections::definitions::TenantDefinitions;
use tidemark_schemas::event::{MessageExchanged, SubscriptionStatus};
use tidemark_schemas::{Currency, CustomerEvent, Instant, Payload};

struct Naive<'a> {
    definitions: &'a TenantDefinitions,
    events: Vec<&'a CustomerEvent>,
    at: Instant,
}

/// The subjects of tests: texts and instants by the name of the test, and money.
#[derive(Default)]
struct Row {
    texts: BTreeMap<&'static str, String>,
    instants: BTreeMap<&'static str, Option<Instant>>,
    money: Option<i64>,
}

/// Whether the tenant's only segment holds.
pub(crate) fn holds(
    definitions: &TenantDefinitions,
    events: &[CustomerEvent],
    at: Instant,
) -> bool {
    let mut events: Vec<&CustomerEvent> = events.iter().collect();
    events.sort_by_key(|event| (event.occurred_at, event.event_id));
    let naive = Naive {
        definitions,
        events,
        at,
    };
    let when = definitions.source.segments[0].when.as_object().unwrap();
    let (leaf, what) = when.iter().next().unwrap();
    match leaf.as_str() {
        "subscription" => naive.rows(what, &naive.subscriptions()),
        "ticket" => naive.rows(what, &naive.tickets()),
        "offer" => naive.rows(what, &naive.offers()),
        "consent" => {
            let mut what = what.clone();
            let granted = what.get("granted").is_none_or(|granted| granted == true);
            what["granted"] = Value::from(granted.to_string());
            naive.rows(&what, &naive.consents())
        }
        "campaign" => naive.campaign(what),
        _ => naive.conversation(what),
    }
}

impl Naive<'_> {
    fn day(&self, at: Instant) -> Date {
        at.to_jiff()
            .to_zoned(self.definitions.rules.zone.clone())
            .date()
    }

    fn was_within(&self, then: Instant, span: &Value) -> bool {
        let text = span.as_str().unwrap();
        let (number, unit) = text.split_at(text.len() - 1);
        let number: i64 = number.parse().unwrap();
        match unit {
            "d" => {
                self.day(then)
                    .checked_add(jiff::Span::new().days(number))
                    .unwrap()
                    > self.day(self.at)
            }
            _ => then.plus_micros(number * 3_600_000_000) > self.at,
        }
    }

    fn was(&self, then: Option<Instant>, ago: &Value) -> bool {
        let Some(then) = then else { return false };
        match ago.get("within") {
            Some(span) => self.was_within(then, span),
            None => !self.was_within(then, &ago["not_within"]),
        }
    }

    fn passes(&self, what: &Value, row: &Row) -> bool {
        what.as_object().unwrap().iter().all(|(key, test)| {
            if let Some(text) = row.texts.get(key.as_str()) {
                names(test).contains(&text.as_str())
            } else if let Some(instant) = row.instants.get(key.as_str()) {
                self.was(*instant, test)
            } else if key == "mrr" {
                row.money.is_some_and(|money| bounded(test, money, 100))
            } else {
                ["count", "match", "total_mrr"].contains(&key.as_str())
            }
        })
    }

    fn rows(&self, what: &Value, rows: &[Row]) -> bool {
        let passing: Vec<&Row> = rows.iter().filter(|row| self.passes(what, row)).collect();
        let count = i64::try_from(passing.len()).unwrap();
        let enough = if what.get("match").is_some() {
            !rows.is_empty() && passing.len() == rows.len()
        } else {
            match what.get("count") {
                Some(bounds) => bounded(bounds, count, 1),
                None => count > 0 || what.get("total_mrr").is_some(),
            }
        };
        let total: i64 = passing.iter().filter_map(|row| row.money).sum();
        enough
            && what
                .get("total_mrr")
                .is_none_or(|bounds| bounded(bounds, total, 100))
    }

    /// The rates: a dollar is half a euro, a pound has no rate.
    fn euros(minor: i64, currency: Currency) -> Option<i64> {
        match currency.code() {
            "EUR" => Some(minor),
            "USD" => Some(minor / 2),
            _ => None,
        }
    }

    fn subscriptions(&self) -> Vec<Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for event in &self.events {
            let Payload::SubscriptionChanged(changed) = &event.payload else {
                continue;
            };
            let row = rows.entry(&changed.subscription_id).or_default();
            row.texts
                .insert("status", changed.status.as_str().to_owned());
            row.texts.insert("plan", changed.plan.to_string());
            row.money = Self::euros(changed.mrr_minor, changed.currency);
            row.instants.insert("changed", Some(event.occurred_at));
            let unpaid = [SubscriptionStatus::Trialing, SubscriptionStatus::Cancelled];
            let started = row.instants.entry("started").or_default();
            if started.is_none() && !unpaid.contains(&changed.status) {
                *started = Some(event.occurred_at);
            }
        }
        rows.into_values().collect()
    }

    fn tickets(&self) -> Vec<Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for event in &self.events {
            let Payload::TicketChanged(changed) = &event.payload else {
                continue;
            };
            let row = rows.entry(&changed.ticket_id).or_default();
            row.texts.insert("status", changed.status.to_string());
            row.texts.insert("priority", changed.priority.to_string());
            row.instants
                .entry("opened")
                .or_insert(Some(event.occurred_at));
            row.instants.insert("changed", Some(event.occurred_at));
        }
        rows.into_values().collect()
    }

    fn offers(&self) -> Vec<Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for event in &self.events {
            let (id, row) = match &event.payload {
                Payload::ActionOffered(offered) => {
                    let row = rows.entry(&offered.offer_id).or_default();
                    row.texts.insert("action", offered.action.to_string());
                    row.instants.insert("offered", Some(event.occurred_at));
                    (&offered.offer_id, row)
                }
                Payload::ActionAnswered(answered) => {
                    let row = rows.entry(&answered.offer_id).or_default();
                    let answer = if answered.accepted {
                        "accepted"
                    } else {
                        "declined"
                    };
                    row.texts.insert("answer", answer.to_owned());
                    row.instants.insert("answered", Some(event.occurred_at));
                    (&answered.offer_id, row)
                }
                _ => continue,
            };
            assert!(!id.is_empty());
            row.texts
                .entry("answer")
                .or_insert_with(|| "none".to_owned());
            row.instants.entry("answered").or_default();
        }
        rows.into_values()
            .filter(|row| row.texts.contains_key("action"))
            .collect()
    }

    fn consents(&self) -> Vec<Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for event in &self.events {
            let Payload::ConsentChanged(changed) = &event.payload else {
                continue;
            };
            let row = rows.entry(&changed.purpose).or_default();
            row.texts.insert("purpose", changed.purpose.to_string());
            row.texts.insert("granted", changed.granted.to_string());
            row.instants.insert("changed", Some(event.occurred_at));
        }
        rows.into_values().collect()
    }

    /// Whether it falls into the window asked for; without one the default, or any time.
    fn inside(&self, what: &Value, at: Instant, default: Option<&str>) -> bool {
        if let Some(days) = what.get("between") {
            let days = names(days);
            let [from, to] = [days[0], days[1]].map(|day| day.parse::<Date>().unwrap());
            return (from..=to).contains(&self.day(at));
        }
        let default = default.map(Value::from);
        let span = what.get("within").or(default.as_ref());
        span.is_none_or(|span| self.was_within(at, span))
    }

    fn campaign(&self, what: &Value) -> bool {
        let listed =
            |key: &str, text: &str| what.get(key).is_none_or(|list| names(list).contains(&text));
        let mut touches = Vec::new();
        for event in &self.events {
            if let Payload::CampaignTouched(touch) = &event.payload
                && listed("name", &touch.campaign)
                && listed("channel", &touch.channel)
            {
                let cost = touch.cost_minor.zip(touch.currency);
                let cost = cost.and_then(|(minor, currency)| Self::euros(minor, currency));
                touches.push((event.occurred_at, cost.unwrap_or(0)));
            }
        }
        let at = |touch: Option<&(Instant, i64)>| touch.map(|(at, _)| *at);
        let (first, last) = (at(touches.first()), at(touches.last()));
        touches.retain(|(at, _)| self.inside(what, *at, None));
        let count = i64::try_from(touches.len()).unwrap();
        let cost = touches.iter().map(|(_, cost)| cost).sum();
        what.as_object()
            .unwrap()
            .iter()
            .all(|(key, test)| match key.as_str() {
                "count" => bounded(test, count, 1),
                "cost" => bounded(test, cost, 100),
                "first_time" => self.was(first, test),
                "last" => self.was(last, test),
                _ => true,
            })
    }

    fn conversation(&self, what: &Value) -> bool {
        let listed = |key: &str, text: Option<&str>| {
            what.get(key)
                .is_none_or(|list| text.is_some_and(|text| names(list).contains(&text)))
        };
        let mut messages: Vec<&MessageExchanged> = Vec::new();
        let mut ends = 0;
        for event in &self.events {
            if !self.inside(what, event.occurred_at, Some("400d")) {
                continue;
            }
            match &event.payload {
                Payload::MessageExchanged(message)
                    if listed("agent", message.agent.as_deref())
                        && listed("channel", Some(message.channel.as_str())) =>
                {
                    messages.push(message);
                }
                Payload::ConversationClosed(closed)
                    if listed("agent", closed.agent.as_deref())
                        && listed("outcome", Some(closed.outcome.as_str())) =>
                {
                    ends += 1;
                }
                _ => {}
            }
        }
        let asked = |key: &str| what.get(key).is_some();
        let counted = messages.iter().filter(|message| {
            listed("direction", Some(message.direction.as_str()))
                && listed("intent", message.intent.as_deref())
        });
        let said = i64::try_from(counted.count()).unwrap();
        let count = if asked("outcome") { ends } else { said };
        let counts = ["direction", "intent", "outcome"].into_iter().any(asked);
        let measures = asked("sentiment") || asked("response_time");
        let enough = match what.get("count") {
            Some(bounds) => bounded(bounds, count, 1),
            None => count > 0 || (measures && !counts),
        };
        enough
            && what
                .get("sentiment")
                .is_none_or(|bounds| mean_is_below(&messages, &bounds["lt"]))
            && what.get("response_time").is_none_or(|bounds| {
                let minutes = bounds["gte"].as_str().unwrap().trim_end_matches('m');
                median(&messages).is_some_and(|ms| ms >= minutes.parse::<i64>().unwrap() * 60_000)
            })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "tenths, rounded")]
fn tenths(number: f64) -> i64 {
    (number * 10.0).round() as i64
}

fn mean_is_below(messages: &[&MessageExchanged], bound: &Value) -> bool {
    let rated = messages.iter().filter_map(|message| message.sentiment);
    let rated: Vec<i64> = rated.map(|sentiment| tenths(sentiment.get())).collect();
    let bound = tenths(bound.as_f64().unwrap()) * i64::try_from(rated.len()).unwrap();
    !rated.is_empty() && rated.iter().sum::<i64>() < bound
}

fn median(messages: &[&MessageExchanged]) -> Option<i64> {
    let mut responses: Vec<i64> = messages
        .iter()
        .filter_map(|message| message.response_ms)
        .collect();
    responses.sort_unstable();
    responses
        .get(responses.len().div_ceil(2).checked_sub(1)?)
        .copied()
}

/// One text or several.
fn names(value: &Value) -> Vec<&str> {
    match value.as_array() {
        Some(list) => list.iter().map(|one| one.as_str().unwrap()).collect(),
        None => vec![value.as_str().unwrap()],
    }
}

/// Whether a quantity is within bounds, which are so many times as large as they are written.
fn bounded(bounds: &Value, quantity: i64, scale: i64) -> bool {
    bounds.as_object().unwrap().iter().all(|(operator, bound)| {
        let bound = bound.as_i64().unwrap() * scale;
        match operator.as_str() {
            "eq" => quantity == bound,
            "ne" => quantity != bound,
            "gt" => quantity > bound,
            "gte" => quantity >= bound,
            "lt" => quantity < bound,
            _ => quantity <= bound,
        }
    })
}
