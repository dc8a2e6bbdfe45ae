//! The real purchase log of 2,357 customers, as far as the end of the calibration period.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use tidemark_projections::models::PurchaseHistory;

/// Id in the full set, id in the sample, date, CDs, dollars.
pub(crate) const LOG: &str = include_str!("../../../data/cdnow/CDNOW_sample.txt");
/// The end of the calibration period.
const END: Date = date(1997, 9, 30);

/// A customer as the models see it.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) history: PurchaseHistory,
    /// Mean of the days after the first, in dollars; 0 without any.
    pub(crate) mean: f64,
    /// All days together, in cents.
    pub(crate) cents: i64,
    /// Distinct days in the 39 weeks after.
    pub(crate) days_after: usize,
}

/// Every customer, by id.
pub(crate) fn customers() -> Vec<Customer> {
    let mut days: BTreeMap<&str, BTreeMap<Date, i64>> = BTreeMap::new();
    for line in LOG.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, id, date, _, dollars] = fields[..] else {
            panic!("{line}");
        };
        let cents: i64 = dollars.replace('.', "").parse().unwrap();
        *days
            .entry(id)
            .or_default()
            .entry(date.parse().unwrap())
            .or_default() += cents;
    }
    days.into_iter()
        .map(|(id, days)| customer(id, &days))
        .collect()
}

fn customer(id: &str, days: &BTreeMap<Date, i64>) -> Customer {
    let seen: Vec<(Date, i64)> = days
        .range(..=END)
        .map(|(day, cents)| (*day, *cents))
        .collect();
    let first = seen.first().unwrap().0;
    let since_first = |day: Date| i64::from(first.until(day).unwrap().get_days());
    let repeat = &seen[1..];
    let repeat_cents: i64 = repeat.iter().map(|(_, cents)| cents).sum();
    Customer {
        id: id.to_owned(),
        history: PurchaseHistory {
            repeat_days: u32::try_from(repeat.len()).unwrap(),
            last: since_first(seen.last().unwrap().0),
            age: since_first(END),
        },
        mean: if repeat.is_empty() {
            0.0
        } else {
            repeat_cents as f64 / 100.0 / repeat.len() as f64
        },
        cents: seen.iter().map(|(_, cents)| cents).sum(),
        days_after: days.len() - seen.len(),
    }
}

#[test]
fn the_purchase_log_equals_the_published_one() {
    let customers = customers();
    assert_eq!(customers.len(), 2_357);
    let repeats: u32 = customers.iter().map(|of| of.history.repeat_days).sum();
    assert_eq!(repeats, 2_457);
    let after: usize = customers.iter().map(|of| of.days_after).sum();
    assert_eq!(after, 1_882);
}
