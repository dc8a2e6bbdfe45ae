//! Conditions on activities: `event`, `sequence`, `regularly`, `stopped` and `restarted`.

use jiff::civil::{Date, Weekday};
use serde_json::Value;
use tidemark_schemas::{Instant, Payload};

use super::{Naive, Span, bounded, list, plus_days, span, text};

impl Naive<'_> {
    pub(super) fn event(&self, what: &Value) -> bool {
        let all = self.activities(what);
        let mut inside = all.clone();
        if let Some(within) = what.get("within") {
            inside.retain(|at| self.was_within(*at, span(within)));
        }
        if let Some(between) = what.get("between") {
            let ends: Vec<Date> = list(between)
                .iter()
                .map(|end| text(end).parse().unwrap())
                .collect();
            inside.retain(|at| ends[0] <= self.day(*at) && self.day(*at) <= ends[1]);
        }
        let only_ago = what.get("within").is_none()
            && what.get("between").is_none()
            && (what.get("first_time").is_some() || what.get("last").is_some());
        let counted = match (what.get("count"), what.get("never")) {
            (Some(bounds), _) => {
                let count = u64::try_from(inside.len()).unwrap();
                bounded(bounds, count, |bound| bound.as_u64().unwrap())
            }
            (None, Some(never)) => inside.is_empty() == never.as_bool().unwrap(),
            (None, None) => only_ago || !inside.is_empty(),
        };
        let was = |key: &str, at: Option<&Instant>| {
            what.get(key).is_none_or(|ago| {
                at.is_some_and(|at| match ago.get("within") {
                    Some(within) => self.was_within(*at, span(within)),
                    None => !self.was_within(*at, span(&ago["not_within"])),
                })
            })
        };
        counted && was("first_time", all.first()) && was("last", all.last())
    }

    pub(super) fn stopped(&self, what: &Value) -> bool {
        let all = self.activities(what);
        let count = u64::try_from(all.len()).unwrap();
        let often = what
            .get("count")
            .is_none_or(|bounds| bounded(bounds, count, |bound| bound.as_u64().unwrap()));
        let last = all.last();
        often && last.is_some_and(|last| !self.was_within(*last, span(&what["within"])))
    }

    pub(super) fn sequence(&self, what: &Value) -> bool {
        let mut completed = Vec::new();
        self.complete(what, 0, None, &mut completed);
        match what.get("within") {
            Some(within) => completed
                .iter()
                .any(|at| self.was_within(*at, span(within))),
            None => !completed.is_empty(),
        }
    }

    /// Tries every event as the next step of a chain with this first and newest step.
    fn complete(
        &self,
        what: &Value,
        step: usize,
        chain: Option<(Instant, Instant)>,
        completed: &mut Vec<Instant>,
    ) {
        let steps = list(&what["steps"]);
        let Some(asked) = steps.get(step) else {
            completed.extend(chain.map(|(_, last)| last));
            return;
        };
        let asked = match asked {
            Value::String(name) => serde_json::json!({ "name": name }),
            asked => asked.clone(),
        };
        for event in &self.events {
            let at = event.occurred_at;
            let Payload::ActivityTracked(activity) = &event.payload else {
                continue;
            };
            let fast_enough = chain.is_none_or(|(first, last)| {
                last < at
                    && match span(&what["in"]) {
                        Span::Micros(micros) => at.micros() - first.micros() < micros,
                        Span::Days(days) => self.day(at) < plus_days(self.day(first), days),
                    }
            });
            if fast_enough && self.fits(&asked, activity) {
                let first = chain.map_or(at, |(first, _)| first);
                self.complete(what, step + 1, Some((first, at)), completed);
            }
        }
    }

    pub(super) fn regularly(&self, what: &Value) -> bool {
        let days: Vec<Date> = self
            .activities(what)
            .iter()
            .map(|at| self.day(*at))
            .collect();
        let today = self.today();
        let mut first = match text(&what["period"]) {
            "day" => today,
            "week" => {
                let mut monday = today;
                while monday.weekday() != Weekday::Monday {
                    monday = plus_days(monday, -1);
                }
                monday
            }
            _ => today.first_of_month(),
        };
        let mut last = Date::MAX;
        let mut active = 0;
        for _ in 0..what["of"].as_u64().unwrap() {
            if days.iter().any(|day| first <= *day && *day <= last) {
                active += 1;
            }
            last = plus_days(first, -1);
            first = match text(&what["period"]) {
                "day" => last,
                "week" => plus_days(first, -7),
                _ => last.first_of_month(),
            };
        }
        active >= what["at_least"].as_u64().unwrap()
    }

    pub(super) fn restarted(&self, what: &Value) -> bool {
        let days: Vec<Date> = self
            .activities(what)
            .iter()
            .map(|at| self.day(*at))
            .collect();
        let whole_days = |value: &Value| match span(value) {
            Span::Days(days) => days,
            Span::Micros(_) => panic!("not in days"),
        };
        let (after, within) = (whole_days(&what["after"]), whole_days(&what["within"]));
        days.iter().any(|day| {
            let before = days.iter().filter(|other| *other < day).max();
            plus_days(*day, within) > self.today()
                && before.is_some_and(|before| plus_days(*before, after) <= *day)
        })
    }
}
