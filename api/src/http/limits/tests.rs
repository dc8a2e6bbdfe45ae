//! Tests of token buckets: draws, headers and memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const MAX_COST: u32 = 5;
const RATE: Rate = Rate {
    per_second: 10,
    burst: 50,
};

fn buckets() -> Buckets<u32> {
    Buckets::new("tenant", RATE, MAX_COST).unwrap().unwrap()
}

#[test]
fn a_bucket_allows_its_burst_and_then_returns_the_time_to_wait() {
    let buckets = buckets();
    for drawn in 1..=10 {
        let (quota, exceeded) = buckets.draw(1, 5);
        assert_eq!(exceeded, None);
        assert!(
            (50 - drawn * 5..=50).contains(&quota.remaining),
            "{quota:?}"
        );
    }
    let (quota, exceeded) = buckets.draw(1, 5);
    assert_eq!((quota.remaining, quota.reset), (0, 5));
    let wait = exceeded.unwrap().wait;
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_millis(500),
        "{wait:?}"
    );
    assert_eq!(buckets.draw(2, 5).1, None, "each key has its own bucket");
}

#[test]
fn a_rate_of_zero_disables_the_limit_and_a_burst_below_the_greatest_cost_is_an_error() {
    let disabled = Rate {
        per_second: 0,
        burst: 0,
    };
    let none = Buckets::<u32>::new("tenant", disabled, MAX_COST).unwrap();
    assert!(none.is_none());
    let small = Rate {
        per_second: 1,
        burst: MAX_COST - 1,
    };
    let expected = SmallBurst {
        limit: "tenant",
        burst: 4,
        minimum: 5,
    };
    let refused = Buckets::<u32>::new("tenant", small, MAX_COST);
    assert_eq!(refused.unwrap_err(), expected);
}

#[test]
fn memory_is_bounded_for_any_number_of_clients() {
    let buckets = Buckets::new("peer", RATE, MAX_COST).unwrap().unwrap();
    for key in 0..120_000_u32 {
        buckets.draw(key, 1);
    }
    assert!(buckets.count() <= 100_000);
}

#[test]
fn headers_follow_the_draft() {
    let quota = Quota {
        name: "tenant",
        burst: 50,
        window: 5,
        remaining: 12,
        reset: 4,
    };
    let token = Quota {
        name: "token",
        ..quota
    };
    let mut headers = HeaderMap::new();
    Quotas(vec![quota, token]).write(&mut headers);
    assert_eq!(
        headers["ratelimit-policy"],
        "\"tenant\";q=50;w=5, \"token\";q=50;w=5"
    );
    assert_eq!(
        headers["ratelimit"],
        "\"tenant\";r=12;t=4, \"token\";r=12;t=4"
    );
    let mut none = HeaderMap::new();
    Quotas::default().write(&mut none);
    assert!(none.is_empty());
}

proptest! {
    /// Any sequence of draws gets at most the burst and what refills meanwhile.
    #[test]
    fn no_more_is_drawn_than_the_burst_and_the_refill(
        costs in prop::collection::vec(1..=5_u32, 1..60),
    ) {
        let buckets = buckets();
        let begun = std::time::Instant::now();
        let mut drawn = 0;
        for cost in costs {
            if buckets.draw(1, cost).1.is_none() {
                drawn += cost;
            }
        }
        let refilled = 10 * (u32::try_from(begun.elapsed().as_secs()).unwrap() + 1);
        prop_assert!(drawn <= RATE.burst + refilled);
    }
}
