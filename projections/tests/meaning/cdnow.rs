//! The real purchase log of 2,357 customers: what is derived of each equals the published summary.

use std::collections::BTreeMap;

use tidemark_projections::outputs::Outputs;

use crate::support::{Customer, tenant_with};

/// Id in the full set, id in the sample, date, CDs, dollars.
const LOG: &str = include_str!("../../../data/cdnow/CDNOW_sample.txt");
/// Id, x, `t_x`, T, mean; rounded to two decimals.
const SUMMARY: &str = include_str!("../../../data/cdnow/CDNOW_sample_summary.csv");
/// The end of the calibration period.
const END: &str = "1997-09-30T00:00:00Z";

/// Each customer at the end of the calibration period, by id in the sample.
fn customers(model: &str) -> BTreeMap<u32, Outputs> {
    let settings = format!("zone: UTC, currency: USD, churn: {{ model: {model} }}");
    let definitions = tenant_with(&settings, "");
    let mut customers: BTreeMap<u32, Customer> = BTreeMap::new();
    for (number, line) in LOG.lines().enumerate() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, id, date, _, dollars] = fields[..] else {
            panic!("line {number}: {line}");
        };
        if date > "19970930" {
            continue;
        }
        let date: jiff::civil::Date = date.parse().unwrap();
        let cents = dollars.replace('.', "").parse().unwrap();
        let id = id.parse().unwrap();
        let customer = customers
            .remove(&id)
            .unwrap_or_else(|| Customer::under(&definitions));
        let order = customer.order(
            &format!("{date}T00:00:00Z"),
            &number.to_string(),
            cents,
            "USD",
        );
        customers.insert(id, order);
    }
    customers
        .into_iter()
        .map(|(id, customer)| (id, customer.outputs(END)))
        .collect()
}

/// Parameters r, α, a and b, and how many purchases make the second shape greater.
fn published(model: &str) -> ([f64; 4], f64) {
    match model {
        "mbg_nbd" => ([0.525, 6.183, 0.891, 1.614], 0.0),
        _ => ([0.243, 4.414, 0.793, 2.426], -1.0),
    }
}

/// The published formula, without protection from overflow.
fn textbook_p_alive(model: &str, x: f64, last: f64, age: f64) -> f64 {
    let ([r, alpha, a, b], shift) = published(model);
    if x == 0.0 && shift < 0.0 {
        return 1.0;
    }
    1.0 / (1.0 + a / (b + x + shift) * ((alpha + age) / (alpha + last)).powf(r + x))
}

#[test]
fn cdnow_customers_equal_published_values() {
    for model in ["mbg_nbd", "bg_nbd"] {
        let customers = customers(model);
        assert_eq!(customers.len(), 2_357);
        let mut repeat_days = 0;
        for line in SUMMARY.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |index: usize| fields[index].parse::<f64>().unwrap();
            let outputs = &customers[&fields[0].parse().unwrap()];
            let orders = &outputs.orders;
            let first = orders.first_purchase_on.unwrap();
            let weeks_since_first =
                |date: jiff::civil::Date| f64::from(first.until(date).unwrap().get_days()) / 7.0;
            let last = weeks_since_first(orders.last_purchase_on.unwrap());
            let age = weeks_since_first("1997-09-30".parse().unwrap());
            let mean = orders.mean_repeat_value_minor.unwrap_or_default() / 100.0;
            assert_eq!(orders.repeat_purchase_days.to_string(), fields[1], "{line}");
            for (ours, theirs) in [(last, number(2)), (age, number(3)), (mean, number(4))] {
                assert!((ours - theirs).abs() <= 0.005 + 1e-9, "{ours} in {line}");
            }
            let x = f64::from(orders.repeat_purchase_days);
            let p_alive = outputs.churn.p_alive.unwrap();
            let expected = textbook_p_alive(model, x, last, age);
            assert!(
                (p_alive - expected).abs() <= 1e-12,
                "{p_alive} is not {expected}: {line}"
            );
            repeat_days += orders.repeat_purchase_days;
        }
        assert_eq!(repeat_days, 2_457);
    }
}
