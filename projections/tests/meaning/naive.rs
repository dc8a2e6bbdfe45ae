//! A second evaluator, deliberately simple: it reads the conditions as they were written and looks
//! at the sorted list of all events, again and again. It shares no code with the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use tidemark_projections::definitions::TenantSource;
use tidemark_schemas::event::ActivityTracked;
use tidemark_schemas::{AttributeValue, CustomerEvent, Instant, Payload};

#[path = "naive/activities.rs"]
mod activities;
#[path = "naive/orders.rs"]
mod orders;

/// A customer at an instant.
pub(crate) struct Naive<'a> {
    source: &'a TenantSource,
    zone: TimeZone,
    /// The events by instant and id, each once.
    events: Vec<&'a CustomerEvent>,
    at: Instant,
}

/// A duration.
#[derive(Clone, Copy)]
enum Span {
    Micros(i64),
    Days(i32),
}

impl<'a> Naive<'a> {
    pub(crate) fn new(source: &'a TenantSource, events: &'a [CustomerEvent], at: Instant) -> Self {
        let mut events: Vec<&CustomerEvent> = events.iter().collect();
        events.sort_by_key(|event| (event.occurred_at, event.event_id));
        events.dedup_by_key(|event| event.event_id);
        let zone = TimeZone::get(&source.tenant.zone).unwrap();
        Self {
            source,
            zone,
            events,
            at,
        }
    }

    pub(crate) fn is_member(&self, segment: &str) -> bool {
        let mut segments = self.source.segments.iter();
        let segment = segments.find(|other| other.name == segment).unwrap();
        self.holds(&segment.when)
    }

    fn holds(&self, when: &Value) -> bool {
        let (key, what) = when.as_object().unwrap().iter().next().unwrap();
        match key.as_str() {
            "all" => list(what).iter().all(|inner| self.holds(inner)),
            "any" => list(what).iter().any(|inner| self.holds(inner)),
            "not" => !self.holds(what),
            "segment" => self.is_member(what.as_str().unwrap()),
            "attribute" => self.attribute(what),
            "event" => self.event(what),
            "orders" => self.orders(what),
            "stage" => self.stage(what),
            "churn" => self.churn(what),
            "sequence" => self.sequence(what),
            "regularly" => self.regularly(what),
            "stopped" => self.stopped(what),
            "restarted" => self.restarted(what),
            "bucket" => self.bucket(what),
            "manual" => list(what).iter().any(|id| text(id) == self.customer()),
            other => panic!("the naive evaluator knows no {other}"),
        }
    }

    fn customer(&self) -> &str {
        self.events
            .first()
            .map_or("", |event| event.customer_id.as_str())
    }

    /// The date of a day, which once begun does not end when clocks are set back.
    fn day(&self, at: Instant) -> Date {
        let date = |at: jiff::Timestamp| at.to_zoned(self.zone.clone()).date();
        let day = date(at.to_jiff());
        let changes = self.zone.preceding(at.to_jiff());
        let before = changes.take(3).map(|change| change.timestamp());
        let lately =
            before.filter(|change| at.micros() - change.as_microsecond() < 2 * super::random::DAY);
        let last_shown =
            |change: jiff::Timestamp| date(Instant::from_jiff(change).plus_micros(-1).to_jiff());
        lately.map(last_shown).fold(day, Date::max)
    }

    fn today(&self) -> Date {
        self.day(self.at)
    }

    fn starts(&self, date: Date) -> Instant {
        let zoned = date.to_zoned(self.zone.clone()).unwrap();
        Instant::from_jiff(zoned.start_of_day().unwrap().timestamp())
    }

    /// Whether something was not as long ago as that.
    fn was_within(&self, then: Instant, span: Span) -> bool {
        match span {
            Span::Micros(micros) => then.plus_micros(micros) > self.at,
            Span::Days(days) => plus_days(self.day(then), days) > self.today(),
        }
    }

    /// Whether something that began then has lasted that long, to the same time of day.
    fn has_lasted(&self, since: Instant, span: Span) -> bool {
        match span {
            Span::Micros(micros) => since.plus_micros(micros) <= self.at,
            Span::Days(days) => {
                let since = since.to_jiff().to_zoned(self.zone.clone());
                let end = since.checked_add(jiff::Span::new().days(days)).unwrap();
                Instant::from_jiff(end.timestamp()) <= self.at
            }
        }
    }

    fn attribute(&self, what: &Value) -> bool {
        let mut value = AttributeValue::Null;
        let mut since = None;
        for event in &self.events {
            let Payload::ProfileUpdated(update) = &event.payload else {
                continue;
            };
            if let Some(new) = update.attributes.get(text(&what["name"])) {
                if since.is_none() || *new != value {
                    since = Some(event.occurred_at);
                }
                value = new.clone();
            }
        }
        let lasted = what
            .get("has_been_for")
            .map(|asked| since.is_some_and(|since| self.has_lasted(since, span(asked))));
        self.satisfies(what, &value) && lasted != Some(false)
    }

    /// Whether a value satisfies all operators of a condition.
    fn satisfies(&self, condition: &Value, value: &AttributeValue) -> bool {
        let mut operators = condition.as_object().unwrap().iter();
        operators.all(|(operator, bound)| match operator.as_str() {
            "name" | "has_been_for" => true,
            "ne" => !same(value, bound),
            "not_in" => !list(bound).iter().any(|bound| same(value, bound)),
            "exists" | "missing" => {
                let exists = *value != AttributeValue::Null;
                (operator == "exists") == (exists == bound.as_bool().unwrap())
            }
            "eq" => same(value, bound),
            "in" => list(bound).iter().any(|bound| same(value, bound)),
            "between" => {
                let bounds = list(bound);
                number(value).is_some_and(|value| {
                    bounds[0].as_f64().unwrap() <= value && value <= bounds[1].as_f64().unwrap()
                })
            }
            "gt" | "gte" | "lt" | "lte" => number(value)
                .is_some_and(|value| compares(operator, value, bound.as_f64().unwrap())),
            "contains" => string(value).is_some_and(|value| value.contains(text(bound))),
            "starts_with" => string(value).is_some_and(|value| value.starts_with(text(bound))),
            "ends_with" => string(value).is_some_and(|value| value.ends_with(text(bound))),
            "matches" => string(value)
                .is_some_and(|value| regex::Regex::new(text(bound)).unwrap().is_match(value)),
            "before" | "after" | "within_last" => {
                string(value).is_some_and(|value| self.in_time(operator, value, text(bound)))
            }
            other => panic!("the naive evaluator knows no {other}"),
        })
    }

    fn in_time(&self, operator: &str, value: &str, bound: &str) -> bool {
        let Some((begins, day)) = self.moment(value) else {
            return false;
        };
        match operator {
            "before" => begins < self.moment(bound).unwrap().0,
            "after" => match bound.parse::<Date>().ok().filter(|_| bound.len() == 10) {
                Some(date) => begins >= self.starts(plus_days(date, 1)),
                None => begins > self.moment(bound).unwrap().0,
            },
            _ => {
                begins <= self.at
                    && match span(&Value::from(bound)) {
                        Span::Micros(micros) => begins.plus_micros(micros) > self.at,
                        Span::Days(days) => plus_days(day, days) > self.today(),
                    }
            }
        }
    }

    /// The first instant of a date or a time, and its day.
    fn moment(&self, text: &str) -> Option<(Instant, Date)> {
        if text.len() == 10 {
            let date: Date = text.parse().ok()?;
            return Some((self.starts(date), date));
        }
        let at: Instant = text.parse().ok()?;
        Some((at, self.day(at)))
    }

    fn stage(&self, what: &Value) -> bool {
        let journey = text(&what["journey"]);
        let mut journeys = self.source.journeys.iter();
        let stages = &journeys.find(|other| other.name == journey).unwrap().stages;
        let place = |stage: &str| stages.iter().position(|other| other.name() == stage);
        let mut entries: Vec<(usize, Instant)> = Vec::new();
        for event in &self.events {
            if let Payload::StageEntered(entered) = &event.payload
                && &*entered.journey == journey
            {
                entries.extend(place(&entered.stage).map(|place| (place, event.occurred_at)));
            }
        }
        let current = entries.last().map(|(place, _)| *place);
        let mut since = None;
        for (place, at) in entries.iter().rev() {
            if Some(*place) != current {
                break;
            }
            since = Some(*at);
        }
        let is = what.get("is").is_none_or(|is| {
            let names = is.as_array().cloned().unwrap_or_else(|| vec![is.clone()]);
            names
                .iter()
                .any(|name| current.is_some() && place(text(name)) == current)
        });
        let reached = what.get("reached").is_none_or(|reached| {
            let reached = place(text(reached)).unwrap();
            entries.iter().any(|(place, _)| *place >= reached)
        });
        let in_for = what
            .get("in_for")
            .is_none_or(|asked| since.is_some_and(|since| self.has_lasted(since, span(asked))));
        is && reached && in_for
    }

    fn bucket(&self, what: &Value) -> bool {
        let bytes = [
            text(&what["salt"]).as_bytes(),
            &[0],
            self.customer().as_bytes(),
        ]
        .concat();
        let hash = u128::from(xxhash_rust::xxh3::xxh3_64(&bytes));
        // In percent: below 2^64 / 100 · n.
        let below = |percent: &Value| {
            let millionths = percent.as_u64().unwrap() * 10_000;
            (hash * 1_000_000) >> 64 < u128::from(millionths)
        };
        match what["share"].as_array() {
            Some(ends) => !below(&ends[0]) && below(&ends[1]),
            None => below(&what["share"]),
        }
    }

    /// The activities of a condition's name that satisfy its `where`, first to last.
    fn activities(&self, what: &Value) -> Vec<Instant> {
        let mut found = Vec::new();
        for event in &self.events {
            if let Payload::ActivityTracked(activity) = &event.payload
                && self.fits(what, activity)
            {
                found.push(event.occurred_at);
            }
        }
        found
    }

    fn fits(&self, what: &Value, activity: &ActivityTracked) -> bool {
        let conditions = match what.get("where") {
            Some(Value::Array(conditions)) => conditions.clone(),
            Some(condition) => vec![condition.clone()],
            None => Vec::new(),
        };
        let value = |condition: &Value| {
            let value = activity.properties.get(text(&condition["name"]));
            value.cloned().unwrap_or(AttributeValue::Null)
        };
        text(&what["name"]) == &*activity.name
            && conditions
                .iter()
                .all(|condition| self.satisfies(condition, &value(condition)))
    }
}

fn plus_days(date: Date, days: i32) -> Date {
    date.checked_add(jiff::Span::new().days(days)).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn span(value: &Value) -> Span {
    let (number, unit) = text(value).split_at(text(value).len() - 1);
    let number: i32 = number.parse().unwrap();
    match unit {
        "d" => Span::Days(number),
        "w" => Span::Days(7 * number),
        "h" => Span::Micros(i64::from(number) * 3_600_000_000),
        "m" => Span::Micros(i64::from(number) * 60_000_000),
        _ => Span::Micros(i64::from(number) * 1_000_000),
    }
}

fn number(value: &AttributeValue) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the tests' numbers are small")]
        AttributeValue::Long(value) => Some(*value as f64),
        AttributeValue::Double(value) => Some(value.get()),
        _ => None,
    }
}

fn string(value: &AttributeValue) -> Option<&str> {
    match value {
        AttributeValue::String(value) => Some(value),
        _ => None,
    }
}

fn same(value: &AttributeValue, bound: &Value) -> bool {
    match value {
        AttributeValue::Null => false,
        AttributeValue::Boolean(value) => bound.as_bool() == Some(*value),
        AttributeValue::String(value) => bound.as_str() == Some(value),
        AttributeValue::Long(_) | AttributeValue::Double(_) => bound.as_f64() == number(value),
    }
}

fn compares<T: PartialOrd + Copy>(operator: &str, value: T, bound: T) -> bool {
    match operator {
        "eq" => value == bound,
        "ne" => value != bound,
        "gt" => value > bound,
        "gte" => value >= bound,
        "lt" => value < bound,
        "lte" => value <= bound,
        other => panic!("no comparison: {other}"),
    }
}

/// Whether a quantity is within all bounds, each of which `read` understands.
fn bounded<T: PartialOrd + Copy>(bounds: &Value, value: T, read: impl Fn(&Value) -> T) -> bool {
    let mut bounds = bounds.as_object().unwrap().iter();
    bounds.all(|(operator, bound)| match bound.as_array() {
        Some(ends) => read(&ends[0]) <= value && value <= read(&ends[1]),
        None => compares(operator, value, read(bound)),
    })
}

/// The memberships by name, for messages.
pub(crate) fn memberships(
    source: &TenantSource,
    events: &[CustomerEvent],
    at: Instant,
) -> BTreeMap<Arc<str>, bool> {
    let naive = Naive::new(source, events, at);
    let segments = source.segments.iter();
    segments
        .map(|segment| {
            (
                Arc::from(segment.name.as_str()),
                naive.is_member(&segment.name),
            )
        })
        .collect()
}
