//! The instants from which segments on missing history are exact.

use tidemark_projections::definitions::Backfilling;
use tidemark_schemas::Instant;

use crate::support::{SETTINGS, at, tenant_with};

const FROM: &str = "2026-03-28T12:05:00Z";

/// Whether a segment of that condition is backfilling at an instant.
fn backfilling(condition: &str, now: &str, counts_from: Option<Instant>) -> Option<Backfilling> {
    let segments = format!(
        "segments: [ {{ name: base, when: {condition} }}, {{ name: s, when: {{ all: [ {{ not: {{ \
         segment: base }} }}, {{ orders: {{ count: {{ eq: 1 }} }} }} ] }} }} ]"
    );
    let tenant = tenant_with(SETTINGS, &segments);
    let segment = tenant.segment("s").unwrap();
    tenant.backfilling(segment, at(now), &|_| counts_from)
}

/// The instant of exactness: the segment is backfilling a minute before it, and not after it.
#[track_caller]
fn check(window: &str, exact_at: Option<&str>) {
    let condition = format!("{{ event: {{ name: a, where: {{ name: b, eq: 1 }}{window} }} }}");
    let counts_from = Some(at(FROM));
    let expected = Backfilling {
        counts_from,
        exact_at: exact_at.map(at),
    };
    assert_eq!(backfilling(&condition, FROM, counts_from), Some(expected));
    if let Some(exact_at) = exact_at {
        assert_eq!(backfilling(&condition, exact_at, counts_from), None);
    }
}

#[test]
fn a_window_is_exact_once_it_begins_after_counting() {
    check(", within: 24h", Some("2026-03-29T12:05:00Z"));
    // Midnights in Berlin, the second after clocks went forward.
    check(", within: 1d", Some("2026-03-28T23:00:00Z"));
    check(", within: 2d", Some("2026-03-29T22:00:00Z"));
    check(", last: { within: 36h }", Some("2026-03-30T00:05:00Z"));
}

#[test]
fn a_condition_without_window_is_exact_only_after_a_rebuild() {
    check("", None);
    check(", count: { gte: 3 }", None);
    check(", never: true", None);
    check(", between: [2026-01-01, 2026-12-31]", None);
    check(", first_time: { within: 7d }", None);
    check(", last: { not_within: 7d }", None);
}

#[test]
fn a_condition_without_properties_is_never_backfilling() {
    let everything = "{ event: { name: a } }";
    assert_eq!(backfilling(everything, FROM, Some(at(FROM))), None);
    let later =
        "{ event: { name: a, where: { name: b, eq: 1 }, between: [2026-04-01, 2026-04-02] } }";
    assert_eq!(backfilling(later, FROM, Some(at(FROM))), None);
}

#[test]
fn the_exact_time_is_unknown_before_counting() {
    let condition = "{ event: { name: a, where: { name: b, eq: 1 }, within: 1d } }";
    let unknown = Backfilling {
        counts_from: None,
        exact_at: None,
    };
    assert_eq!(backfilling(condition, FROM, None), Some(unknown));
}
