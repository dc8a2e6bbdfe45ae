//! Fits find again what customers were made with, and training finds out how they were made.

use tidemark_projections::models::{
    Family, Parameters, PurchaseHistory, fit_purchases, fit_spending,
};

/// Steele, Lea and Flood's `SplitMix64`.
struct Draw(u64);

impl Draw {
    /// Returns the next number in (0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((mixed >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Marsaglia and Tsang (2000); below 1 by a power of a uniform number.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.uniform().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }

    fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (left, right) = (self.gamma(a), self.gamma(b));
        left / (left + right)
    }
}

/// One customer of the family, seen for so many days.
fn customer(draw: &mut Draw, family: Family, of: Parameters, age: i64) -> PurchaseHistory {
    let rate = draw.gamma(of.r) / of.alpha / 7.0;
    let leaves = draw.beta(of.a, of.b);
    let (mut days, mut now) = (vec![0], 0.0);
    let mut stays = family == Family::BgNbd || draw.uniform() > leaves;
    while stays {
        now += draw.exponential() / rate;
        if now > age as f64 {
            break;
        }
        days.push(now as i64);
        stays = draw.uniform() > leaves;
    }
    days.dedup();
    PurchaseHistory {
        repeat_days: u32::try_from(days.len() - 1).unwrap(),
        last: *days.last().unwrap(),
        age,
    }
}

const MADE_WITH: Parameters = Parameters {
    r: 0.6,
    alpha: 8.0,
    a: 0.9,
    b: 2.5,
};

fn customers(family: Family) -> Vec<PurchaseHistory> {
    let mut draw = Draw(42);
    // Ages are few, so that customers without repeat purchases are computed once per age.
    (0..6_000)
        .map(|n| customer(&mut draw, family, MADE_WITH, 180 + 20 * (n % 12)))
        .collect()
}

#[track_caller]
fn assert_within(found: f64, expected: f64, part: f64) {
    assert!(
        (found / expected - 1.0).abs() <= part,
        "{found} is not {expected}"
    );
}

#[test]
fn churn_parameters_are_recovered() {
    for family in Family::ALL {
        let fit = fit_purchases(family, customers(family)).unwrap();
        let Parameters { r, alpha, a, b } = fit.parameters;
        assert_within(r, MADE_WITH.r, 0.1);
        assert_within(alpha, MADE_WITH.alpha, 0.1);
        // Each alone is known less well than how many leave.
        assert_within(a / (a + b), MADE_WITH.a / (MADE_WITH.a + MADE_WITH.b), 0.1);
        assert_within(a, MADE_WITH.a, 0.3);
    }
}

#[test]
fn the_generating_family_has_the_greater_likelihood() {
    for family in Family::ALL {
        let customers = customers(family);
        let likelihood = |of: Family| fit_purchases(of, customers.clone()).unwrap().log_likelihood;
        let other = Family::ALL
            .into_iter()
            .find(|other| *other != family)
            .unwrap();
        assert!(likelihood(family) > likelihood(other), "{family:?}");
    }
}

#[test]
fn spending_parameters_are_recovered() {
    let mut draw = Draw(7);
    let (p, q, v) = (6.0, 4.0, 15.0);
    let seen: Vec<(f64, f64)> = (0..5_000)
        .map(|n| {
            let x = 1 + n % 6;
            let rate = draw.gamma(q) / v;
            let sum: f64 = (0..x).map(|_| draw.gamma(p) / rate).sum();
            (f64::from(x), sum / f64::from(x))
        })
        .collect();
    let fit = fit_spending(&seen).unwrap();
    assert_within(fit.parameters.p, p, 0.1);
    assert_within(fit.parameters.q, q, 0.1);
    assert_within(fit.parameters.v, v, 0.15);
}
