//! The CDNOW sample, read from its log, and the published predictions for its customers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};
use serde_json::Value;

/// The end of the calibration period of the published parameters.
pub(super) const CLOCK: &str = "1997-09-30T00:00:00Z";
const END: Date = date(1997, 9, 30);
/// The tolerance for a summary rounded to two decimals.
const ROUNDED: f64 = 0.005_000_001;

/// A customer as the log and the published summary have it.
pub(super) struct Customer {
    x: u32,
    /// Weeks, and dollars for each purchase day after the first, rounded to two decimals.
    published_t_x: f64,
    published_t: f64,
    published_mean: f64,
    purchases: Vec<(Date, i64)>,
}

pub(super) fn file(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    path.into_os_string().into_string().unwrap()
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

/// Returns the tenant and its segments with this churn model.
pub(super) fn definitions(model: &str) -> String {
    let definitions = read("definitions/cdnow.yaml");
    assert!(definitions.contains("model: mbg_nbd"));
    definitions.replace("model: mbg_nbd", &format!("model: {model}"))
}

/// Returns every customer by id.
pub(super) fn customers() -> BTreeMap<String, Customer> {
    let summary = read("data/cdnow/CDNOW_sample_summary.csv");
    let mut customers: BTreeMap<String, Customer> = summary.lines().skip(1).map(customer).collect();
    for line in read("data/cdnow/CDNOW_sample.txt").lines() {
        let [_, id, day, _, dollars] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let day = Date::strptime("%Y%m%d", day).unwrap();
        if day <= END {
            let cents = dollars.replace('.', "").parse().unwrap();
            let customer = customers.get_mut(id).unwrap();
            customer.purchases.push((day, cents));
        }
    }
    assert_eq!(customers.len(), 2_357);
    assert_eq!(customers.values().map(|known| known.x).sum::<u32>(), 2_457);
    customers
}

fn customer(line: &str) -> (String, Customer) {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [id, x, t_x, t, mean] = fields[..] else {
        panic!("{line}")
    };
    let customer = Customer {
        x: x.parse().unwrap(),
        published_t_x: t_x.parse().unwrap(),
        published_t: t.parse().unwrap(),
        published_mean: mean.parse().unwrap(),
        purchases: Vec::new(),
    };
    (format!("{id:0>4}"), customer)
}

#[expect(clippy::many_single_char_names, reason = "as the papers call them")]
/// Returns P(alive) in closed form, written from the papers with their parameters (weeks).
fn p_alive(model: &str, x: f64, t_x: f64, t: f64) -> f64 {
    match model {
        "mbg_nbd" => {
            let (r, alpha, a, b) = (0.525, 6.183, 0.891, 1.614);
            1.0 / (1.0 + a / (b + x) * ((alpha + t) / (alpha + t_x)).powf(r + x))
        }
        "bg_nbd" if x == 0.0 => 1.0,
        "bg_nbd" => {
            let (r, alpha, a, b) = (0.243, 4.414, 0.793, 2.426);
            1.0 / (1.0 + a / (b + x - 1.0) * ((alpha + t) / (alpha + t_x)).powf(r + x))
        }
        _ => panic!("no model {model}"),
    }
}

impl Customer {
    fn first(&self) -> Date {
        self.purchases.iter().map(|(day, _)| *day).min().unwrap()
    }

    fn last(&self) -> Date {
        self.purchases.iter().map(|(day, _)| *day).max().unwrap()
    }

    fn cents(&self) -> i64 {
        self.purchases.iter().map(|(_, cents)| cents).sum()
    }

    /// Returns P(alive) from exact days.
    pub(super) fn p_alive(&self, model: &str) -> f64 {
        let t_x = weeks(self.first(), self.last());
        p_alive(model, f64::from(self.x), t_x, weeks(self.first(), END))
    }

    /// Returns the band by the tenant's thresholds.
    pub(super) fn band(&self, model: &str) -> &'static str {
        match 1.0 - self.p_alive(model) {
            risk if risk >= 0.7 => "high",
            risk if risk >= 0.4 => "medium",
            _ => "low",
        }
    }

    /// Returns the segments of the sample tenant that follow from the log without a calendar.
    pub(super) fn segments(&self, model: &str) -> [(&'static str, bool); 4] {
        let regular = self.purchases.len() >= 3;
        [
            ("one_time_buyers", self.purchases.len() == 1),
            ("regulars", regular),
            ("big_spenders", self.cents() >= 20_000),
            ("slipping_regulars", regular && self.band(model) == "high"),
        ]
    }

    /// Asserts that the API returns for this customer what the log and the publications have.
    #[track_caller]
    pub(super) fn assert_returned(&self, id: &str, answer: &Value, model: &str) {
        assert_eq!(answer["customer_id"], id);
        assert_eq!(answer["as_of"], CLOCK, "{id}");
        self.assert_orders(id, &answer["orders"]);
        self.assert_churn(id, &answer["churn"], model);
        let names: Vec<&Value> = answer["segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|segment| &segment["name"])
            .collect();
        for (segment, is_member) in self.segments(model) {
            let found = names.iter().any(|name| **name == segment);
            assert_eq!(found, is_member, "{id} in {segment}");
        }
    }

    #[track_caller]
    fn assert_orders(&self, id: &str, orders: &Value) {
        assert_eq!(orders["count"], self.purchases.len(), "orders of {id}");
        assert_eq!(orders["revenue_minor"], self.cents(), "revenue of {id}");
        assert_eq!(orders["currency"], "USD", "{id}");
        assert_eq!(orders["repeat_purchase_days"], self.x, "x of {id}");
        assert_eq!(orders["purchase_days"], self.x + 1, "days of {id}");
        let (first, last) = (
            day(orders, "first_purchase_on"),
            day(orders, "last_purchase_on"),
        );
        assert_eq!((first, last), (self.first(), self.last()), "days of {id}");
        near(id, "t_x", weeks(first, last), self.published_t_x, ROUNDED);
        near(id, "T", weeks(first, END), self.published_t, ROUNDED);
        let mean = &orders["mean_repeat_value_minor"];
        assert_eq!(mean.is_null(), self.x == 0, "mean value of {id}");
        let mean = mean.as_f64().unwrap_or(0.0) / 100.0;
        near(id, "mean value", mean, self.published_mean, ROUNDED);
    }

    #[track_caller]
    fn assert_churn(&self, id: &str, churn: &Value, model: &str) {
        let wanted = self.p_alive(model);
        assert_eq!(churn["status"], "scored", "{id}");
        near(id, "P(alive)", number(&churn["p_alive"]), wanted, 1e-9);
        near(id, "risk", number(&churn["risk"]), 1.0 - wanted, 1e-9);
        assert_eq!(churn["band"], self.band(model), "band of {id}");
        assert_eq!(churn["model"], format!("{model}/shipped-cdnow"), "{id}");
    }
}

/// Asserts published predictions of single customers; the tolerance allows for their unrounded
/// parameters.
pub(super) fn assert_published_predictions(answers: &BTreeMap<String, Value>, model: &str) {
    // Customer 1 has x = 2, t_x = 30.43, T = 38.86; customer 3 has x = 0, T = 38.86.
    let predictions = match model {
        "mbg_nbd" => [("0001", 0.706_13), ("0003", 0.389_72)],
        _ => [("0001", 0.726_61), ("0003", 1.0)],
    };
    for (id, wanted) in predictions {
        let found = number(&answers[id]["churn"]["p_alive"]);
        near(id, "P(alive)", found, wanted, 2e-4);
    }
}

fn day(orders: &Value, field: &str) -> Date {
    orders[field].as_str().unwrap().parse().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn weeks(from: Date, to: Date) -> f64 {
    f64::from(from.until(to).unwrap().get_days()) / 7.0
}

#[track_caller]
fn near(id: &str, what: &str, found: f64, wanted: f64, tolerance: f64) {
    let is_near = (found - wanted).abs() <= tolerance;
    assert!(is_near, "{what} of {id}: {found}, expected {wanted}");
}
