//! Fits by maximum likelihood: Nelder–Mead on the logarithms of what must be positive.

use std::collections::BTreeMap;

use argmin::core::{CostFunction, Error, Executor, State as _};
use argmin::solver::neldermead::NelderMead;

use super::purchases::Likelihood;
use super::renewal::{RenewalModel, Renewals};
use super::special::double;
use super::spending::SpendingModel;
use super::{Family, Parameters, PurchaseHistory};

/// Parameters stay between e^-9 and e^9 (about 1/8,000 and 8,000): a maximum farther out says that
/// the data do not tell the parameter.
const LARGEST_LOG: f64 = 9.0;
/// Edge of the first simplex, in logarithms.
const EDGE: f64 = 0.5;
/// The simplex is done when its likelihoods differ by as little.
const TOLERANCE: f64 = 1e-9;
/// Iterations of one run; some two hundred are usual.
const MOST_ITERATIONS: u64 = 2_000;
/// Runs after one another, each from where the one before stopped: a simplex may collapse early.
const MOST_RUNS: u32 = 8;
/// A run that gains less than this was the last.
const WORTH_ANOTHER_RUN: f64 = 1e-7;

/// The result of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit<P> {
    /// The parameters at the maximum.
    pub parameters: P,
    /// The logarithm of the likelihood there.
    pub log_likelihood: f64,
    /// Whether a parameter stands at the edge of what is searched.
    pub at_edge: bool,
}

struct Problem<F>(F);

impl<F: Fn(&[f64]) -> f64> CostFunction for Problem<F> {
    type Param = Vec<f64>;
    type Output = f64;

    /// Points outside the domain cost more with distance, so that the search returns.
    fn cost(&self, at: &Vec<f64>) -> Result<f64, Error> {
        let inside: Vec<f64> = at.iter().map(|log| clamped(*log)).collect();
        let outside: f64 = at
            .iter()
            .zip(&inside)
            .map(|(at, inside)| (at - inside).abs())
            .sum();
        let likelihood = (self.0)(&inside);
        Ok(if likelihood.is_finite() {
            outside - likelihood
        } else {
            f64::MAX
        })
    }
}

fn clamped(log: f64) -> f64 {
    log.clamp(-LARGEST_LOG, LARGEST_LOG)
}

/// The greatest of the maxima found from several starting points. `None` if no run ends.
fn maximise<const N: usize>(
    starts: &[[f64; N]],
    likelihood: impl Fn([f64; N]) -> f64,
) -> Option<Fit<[f64; N]>> {
    let of_logs = |logs: &[f64]| {
        let parameters: [f64; N] = std::array::from_fn(|index| libm::exp(logs[index]));
        likelihood(parameters)
    };
    let found = starts.iter().filter_map(|start| {
        let mut best = start.map(libm::log).to_vec();
        let mut cost = f64::MAX;
        for _ in 0..MOST_RUNS {
            let (at, found) = run(&best, &of_logs)?;
            let gain = cost - found;
            (best, cost) = (at, found);
            if gain < WORTH_ANOTHER_RUN {
                break;
            }
        }
        Some((best, cost))
    });
    let (logs, cost) = found.reduce(|best, other| if other.1 < best.1 { other } else { best })?;
    let logs: [f64; N] = std::array::from_fn(|index| clamped(logs[index]));
    Some(Fit {
        parameters: logs.map(libm::exp),
        log_likelihood: -cost,
        at_edge: logs.iter().any(|log| log.abs() > LARGEST_LOG - 1e-3),
    })
}

fn run(start: &[f64], likelihood: &impl Fn(&[f64]) -> f64) -> Option<(Vec<f64>, f64)> {
    let mut simplex = vec![start.to_vec()];
    for axis in 0..start.len() {
        let mut corner = start.to_vec();
        corner[axis] += EDGE;
        simplex.push(corner);
    }
    let solver = NelderMead::new(simplex).with_sd_tolerance(TOLERANCE).ok()?;
    let done = Executor::new(Problem(likelihood), solver)
        .configure(|state| state.max_iters(MOST_ITERATIONS))
        // No clock in here.
        .timer(false)
        .run()
        .ok()?;
    let state = done.state();
    Some((state.get_best_param()?.clone(), state.get_best_cost()))
}

/// Customers by history: those with the same one are computed once.
pub(super) type Histories = BTreeMap<(u32, i64, i64), u64>;

pub(super) fn histories(customers: impl IntoIterator<Item = PurchaseHistory>) -> Histories {
    let mut histories = Histories::new();
    for of in customers {
        *histories
            .entry((of.repeat_days, of.last, of.age))
            .or_default() += 1;
    }
    histories
}

/// The log-likelihood of all customers.
pub(super) fn log_likelihood(family: Family, parameters: Parameters, histories: &Histories) -> f64 {
    let mut known: Option<(u32, Likelihood)> = None;
    let mut sum = 0.0;
    for ((repeat_days, last, age), customers) in histories {
        // In the order of the map those with as many repeat purchases come together.
        let likelihood = match known {
            Some((of, likelihood)) if of == *repeat_days => likelihood,
            _ => Likelihood::new(family, parameters, *repeat_days),
        };
        known = Some((*repeat_days, likelihood));
        let history = PurchaseHistory {
            repeat_days: *repeat_days,
            last: *last,
            age: *age,
        };
        sum += double(*customers) * likelihood.of_times(history);
    }
    sum
}

/// Fits r, α, a and b.
pub fn fit_purchases(
    family: Family,
    customers: impl IntoIterator<Item = PurchaseHistory>,
) -> Option<Fit<Parameters>> {
    fit_histories(family, &histories(customers))
}

pub(super) fn fit_histories(family: Family, histories: &Histories) -> Option<Fit<Parameters>> {
    let parameters = |[r, alpha, a, b]: [f64; 4]| Parameters { r, alpha, a, b };
    // Populations with a large and a small variance of purchase rates, and few and many dropouts.
    let starts = [[0.5, 5.0, 0.8, 2.0], [3.0, 20.0, 0.3, 5.0]];
    let fit = maximise(&starts, |at| {
        log_likelihood(family, parameters(at), histories)
    })?;
    Some(Fit {
        parameters: parameters(fit.parameters),
        log_likelihood: fit.log_likelihood,
        at_edge: fit.at_edge,
    })
}

/// Fits p, q above 1 and v to pairs of a number of repeat purchases and their mean, both positive.
pub fn fit_spending(customers: &[(f64, f64)]) -> Option<Fit<SpendingModel>> {
    // q − 1 is what is positive: at q = 1 the mean would be divided by nothing.
    let model = |[p, above_one, v]: [f64; 3]| SpendingModel {
        p,
        q: 1.0 + above_one,
        v,
    };
    let (count, sum) = (
        double(customers.len()),
        customers.iter().map(|(_, m)| m).sum::<f64>(),
    );
    if customers.is_empty() {
        return None;
    }
    // Money is of any size: v begins at the mean, and everything is searched around it.
    let mean = sum / count;
    let scaled: Vec<(f64, f64)> = customers.iter().map(|(x, m)| (*x, m / mean)).collect();
    let starts = [[5.0, 2.0, 0.5], [1.0, 5.0, 4.0]];
    let fit = maximise(&starts, |at| {
        let model = model(at);
        scaled
            .iter()
            .map(|(x, m)| model.log_likelihood(*x, *m))
            .sum()
    })?;
    let [p, above_one, v] = fit.parameters;
    let parameters = model([p, above_one, v * mean]);
    Some(Fit {
        parameters,
        // The density of m itself, not of m over the mean.
        log_likelihood: fit.log_likelihood - count * libm::log(mean),
        at_edge: fit.at_edge,
    })
}

/// Fits α and β of the shifted-beta-geometric model.
pub fn fit_renewals(seen: &[Renewals]) -> Option<Fit<RenewalModel>> {
    let model = |[alpha, beta]: [f64; 2]| RenewalModel { alpha, beta };
    let fit = maximise(&[[1.0, 1.0], [0.5, 5.0]], |at| {
        model(at).log_likelihood(seen)
    })?;
    Some(Fit {
        parameters: model(fit.parameters),
        log_likelihood: fit.log_likelihood,
        at_edge: fit.at_edge,
    })
}
