//! Clusters: the same for the same customers, apart where they are apart, and still in time.

use proptest::prelude::*;
use tidemark_projections::models::{ClusterModel, Rfm};

use crate::cdnow;

fn cdnow() -> Vec<(String, Rfm)> {
    let rfm = |of: &cdnow::Customer| Rfm {
        recency_days: of.history.age - of.history.last,
        frequency: of.history.repeat_days + 1,
        monetary_minor: of.cents,
    };
    cdnow::customers()
        .iter()
        .map(|of| (of.id.clone(), rfm(of)))
        .collect()
}

#[test]
fn clusters_are_independent_of_row_order_and_threads() {
    let customers = cdnow();
    let mut reversed = customers.clone();
    reversed.reverse();
    let mut dealt: Vec<_> = customers.iter().skip(1).step_by(2).cloned().collect();
    dealt.extend(customers.iter().step_by(2).cloned());
    let expected = ClusterModel::fit(&customers, 100).unwrap();
    let found: Vec<ClusterModel> = std::thread::scope(|scope| {
        let threads = [reversed, dealt]
            .map(|customers| scope.spawn(move || ClusterModel::fit(&customers, 100).unwrap()));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    for found in found {
        // To the last bit.
        assert_eq!(
            serde_json::to_string(&found).unwrap(),
            serde_json::to_string(&expected).unwrap()
        );
    }
}

#[test]
fn separated_groups_are_found() {
    let mut customers = Vec::new();
    for n in 0..90_u32 {
        // Three groups: new and small, faithful, gone.
        let (recency, frequency, money) =
            [(5, 1, 2_000), (10, 30, 90_000), (700, 4, 9_000)][n as usize % 3];
        let rfm = Rfm {
            recency_days: recency + i64::from(n % 7),
            frequency: frequency + n % 2,
            monetary_minor: money + i64::from(n) * 10,
        };
        customers.push((format!("c{n:02}"), rfm));
    }
    let model = ClusterModel::fit(&customers, 100).unwrap();
    assert_eq!(model.sizes, [30, 30, 30]);
    assert!(model.silhouette > 0.8, "{}", model.silhouette);
    // Best first: the faithful, the new, the gone.
    for (customer, expected) in customers.iter().zip([1, 0, 2].into_iter().cycle()) {
        let found = model.assign(customer.1);
        assert_eq!(found.cluster, expected);
        assert!((0.5..=1.0).contains(&found.confidence), "{found:?}");
    }
    // Directions of length one, at right angles, their greatest part positive.
    let [first, second] = model.components;
    let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for (a, b, expected) in [
        (first, first, 1.0),
        (second, second, 1.0),
        (first, second, 0.0),
    ] {
        assert!((dot(a, b) - expected).abs() < 1e-12);
    }
    for direction in [first, second] {
        let greatest = direction
            .into_iter()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()));
        assert!(greatest.unwrap() > 0.0);
    }
}

#[test]
fn identical_customers_form_no_clusters() {
    let alike = Rfm {
        recency_days: 3,
        frequency: 1,
        monetary_minor: 100,
    };
    let customers: Vec<_> = (0..50).map(|n| (n.to_string(), alike)).collect();
    assert_eq!(ClusterModel::fit(&customers, 100), None);
    assert_eq!(ClusterModel::fit(&[], 100), None);
}

fn customers() -> impl Strategy<Value = Vec<(String, Rfm)>> {
    let rfm = (0..800_i64, 1..40_u32, 0..100_000_i64).prop_map(
        |(recency_days, frequency, monetary_minor)| Rfm {
            recency_days,
            frequency,
            monetary_minor,
        },
    );
    prop::collection::vec(rfm, 10..60).prop_map(|all| {
        all.into_iter()
            .zip(0..)
            .map(|(rfm, n)| (n.to_string(), rfm))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cluster_changes_only_at_the_predicted_recency(
        customers in customers(), frequency in 1..40_u32, monetary_minor in 0..100_000_i64
    ) {
        let model = ClusterModel::fit(&customers, 100).unwrap();
        let at = |recency_days| Rfm { recency_days, frequency, monetary_minor };
        let mut recency = 0;
        let mut foretold = 0;
        while let Some(next) = model.next_recency(at(recency)).filter(|next| *next < 5_000) {
            prop_assert!(next > recency);
            let now = model.assign(at(recency)).cluster;
            for between in recency..next {
                prop_assert_eq!(model.assign(at(between)).cluster, now, "{} before {}", between, next);
            }
            recency = next;
            foretold += 1;
            // Three wakes a boundary at most: not one every day.
            prop_assert!(foretold <= 3 * model.centroids.len());
        }
        let now = model.assign(at(recency)).cluster;
        prop_assert_eq!(model.assign(at(4_999.max(recency))).cluster, now);
    }
}
