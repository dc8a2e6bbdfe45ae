//! Conditions on orders and churn risk: `orders` and `churn`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value;
use tidemark_schemas::{Currency, Payload};

use super::{Naive, Span, bounded, compares, list, plus_days, span, text};

/// Parameters published for the CDNOW sample: r, alpha, a, b.
const MBG_NBD: [f64; 4] = [0.525, 6.183, 0.891, 1.614];
const BG_NBD: [f64; 4] = [0.243, 4.414, 0.793, 2.426];

impl Naive<'_> {
    /// Cents of the tenant's currency for one US dollar's worth of cents, and none for yen.
    fn convert(&self, amount: i64, currency: Currency) -> Option<i128> {
        let amount = i128::from(amount);
        match currency.code() {
            code if code == self.source.tenant.currency => Some(amount),
            "USD" => Some((amount * 92 + 50) / 100),
            _ => None,
        }
    }

    /// The day of each order, and its value less refunds.
    fn placed(&self) -> Vec<(Date, Option<i128>)> {
        let mut newest = BTreeMap::new();
        for event in &self.events {
            if let Payload::OrderPlaced(order) = &event.payload {
                let value = self.convert(order.amount_minor, order.currency);
                newest.insert(
                    Arc::clone(&order.order_id),
                    (self.day(event.occurred_at), value),
                );
            }
        }
        for event in &self.events {
            if let Payload::OrderRefunded(refund) = &event.payload
                && let Some((_, value)) = newest.get_mut(&refund.order_id)
            {
                let back = self.convert(refund.amount_minor, refund.currency);
                *value = value.zip(back).map(|(value, back)| value - back);
            }
        }
        newest.into_values().collect()
    }

    pub(super) fn orders(&self, what: &Value) -> bool {
        let mut placed = self.placed();
        if let Some(within) = what.get("within") {
            let Span::Days(days) = span(within) else {
                panic!("not in days")
            };
            placed.retain(|(day, _)| plus_days(*day, days) > self.today());
        }
        if let Some(between) = what.get("between") {
            let ends: Vec<Date> = list(between)
                .iter()
                .map(|end| text(end).parse().unwrap())
                .collect();
            placed.retain(|(day, _)| ends[0] <= *day && *day <= ends[1]);
        }
        let values: Vec<i128> = placed.iter().filter_map(|(_, value)| *value).collect();
        let revenue: i128 = values.iter().sum();
        let converted = i128::try_from(values.len()).unwrap();
        let cents = |bound: &Value| i128::from(bound.as_i64().unwrap()) * 100;
        let count = i128::try_from(placed.len()).unwrap();
        let whole = |bound: &Value| i128::from(bound.as_i64().unwrap());
        what.get("count")
            .is_none_or(|bounds| bounded(bounds, count, whole))
            && what
                .get("revenue")
                .is_none_or(|bounds| bounded(bounds, revenue, cents))
            && what.get("average").is_none_or(|bounds| {
                let times = |bound: &Value| cents(bound) * converted;
                converted > 0 && bounded(bounds, revenue, times)
            })
    }

    pub(super) fn churn(&self, what: &Value) -> bool {
        let days: BTreeSet<Date> = self.placed().iter().map(|(day, _)| *day).collect();
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return false;
        };
        let weeks = |from: &Date, to: &Date| f64::from((*to - *from).get_days()) / 7.0;
        let repeats = f64::from(u32::try_from(days.len()).unwrap()) - 1.0;
        let (last, age) = (weeks(first, last), weeks(first, &self.today()));
        let churn = self.source.tenant.churn.clone().unwrap_or_default();
        let p_alive = if churn.model.as_deref() == Some("bg_nbd") {
            let [r, alpha, a, b] = BG_NBD;
            if days.len() == 1 {
                1.0
            } else {
                1.0 / (1.0
                    + a / (b + repeats - 1.0) * ((alpha + age) / (alpha + last)).powf(r + repeats))
            }
        } else {
            let [r, alpha, a, b] = MBG_NBD;
            1.0 / (1.0 + a / (b + repeats) * ((alpha + age) / (alpha + last)).powf(r + repeats))
        };
        let risk: f64 = 1.0 - p_alive;
        let band = if risk >= 0.7 {
            "high"
        } else if risk >= 0.4 {
            "medium"
        } else {
            "low"
        };
        let banded = what.get("band").is_none_or(|bands| match bands {
            Value::Array(bands) => bands.iter().any(|asked| text(asked) == band),
            asked => text(asked) == band,
        });
        let probability = |key: &str, value: f64| {
            what.get(key).is_none_or(|bounds| {
                let mut bounds = bounds.as_object().unwrap().iter();
                bounds.all(|(operator, bound)| compares(operator, value, bound.as_f64().unwrap()))
            })
        };
        banded && probability("risk", risk) && probability("p_alive", p_alive)
    }
}
