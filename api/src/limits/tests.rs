//! Rates: what is drawn, what is told, what is kept.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const RATE: Rate = Rate {
    per_second: 10,
    burst: 50,
};

fn buckets() -> Buckets<u32> {
    Buckets::of("tenant", RATE).unwrap().unwrap()
}

#[test]
fn a_bucket_gives_its_burst_and_then_says_when() {
    let buckets = buckets();
    for drawn in 1..=10 {
        let (quota, refusal) = buckets.draw(1, 5);
        assert_eq!(refusal, None);
        assert!(
            (50 - drawn * 5..=50).contains(&quota.remaining),
            "{quota:?}"
        );
    }
    let (quota, refusal) = buckets.draw(1, 5);
    assert_eq!((quota.remaining, quota.reset), (0, 5));
    let wait = refusal.unwrap().wait;
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_millis(500),
        "{wait:?}"
    );
    assert_eq!(buckets.draw(2, 5).1, None, "another's bucket is its own");
}

#[test]
fn without_a_rate_there_is_no_limit_and_a_burst_must_hold_the_dearest() {
    let without = Rate {
        per_second: 0,
        burst: 0,
    };
    assert!(Buckets::<u32>::of("tenant", without).unwrap().is_none());
    let small = Rate {
        per_second: 1,
        burst: UNNAMED_COST - 1,
    };
    assert!(matches!(
        Buckets::<u32>::of("tenant", small),
        Err(ApiError::SmallBurst { .. })
    ));
}

#[test]
fn memory_is_bounded_whoever_asks() {
    let buckets = Buckets::of("peer", RATE).unwrap().unwrap();
    for key in 0..120_000_u32 {
        buckets.draw(key, 1);
    }
    assert!(buckets.kept() <= 100_000);
}

#[test]
fn no_route_costs_more_than_the_dearest() {
    assert!(priced_routes().all(|route| (1..=UNNAMED_COST).contains(&cost(route))));
    assert!(cost("/v1/customers") > cost("/v1/customers/{id}"));
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
    /// Whatever is asked for in whatever portions, no more is given than the bucket holds and what
    /// flowed in meanwhile.
    #[test]
    fn never_more_is_given_than_there_is(costs in prop::collection::vec(1..=5_u32, 1..60)) {
        let buckets = buckets();
        let begun = std::time::Instant::now();
        let mut given = 0;
        for cost in costs {
            if buckets.draw(1, cost).1.is_none() {
                given += cost;
            }
        }
        let flowed = 10 * (u32::try_from(begun.elapsed().as_secs()).unwrap() + 1);
        prop_assert!(given <= RATE.burst + flowed);
    }
}
