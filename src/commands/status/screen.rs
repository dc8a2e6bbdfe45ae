//! The text of a status, and the part of it that fits on a screen.

use super::{Deferred, Headroom, Reevaluating, Status};
use crate::database::{LargeCustomer, Offboarding, Parked, ParkedBytes, TenantProgress};
use crate::lag::{Lag, PartitionLag};

/// The number of partitions that a line lists.
const LISTED: usize = 5;

/// Returns the lines of a status: problems first. With a number of rows, only so many: of the
/// partitions the worst.
pub(super) fn lines(status: &Status, rows: Option<usize>) -> Vec<String> {
    let mut lines = problems(status);
    lines.push(summary(status));
    let mut rest = rest(status);
    let mut partitions: Vec<&PartitionLag> = status.lag.partitions.iter().collect();
    if let Some(rows) = rows {
        let room = rows.saturating_sub(lines.len() + 1);
        partitions.sort_by_key(|partition| (partition.is_owned, std::cmp::Reverse(partition.lag)));
        // The partitions have at least two thirds of the room, and what the rest leaves.
        let for_rest = (room / 3).max(room.saturating_sub(partitions.len()));
        rest = fit(rest, for_rest);
        let table = partitions.into_iter().map(row).collect();
        lines.push(HEADER.to_owned());
        lines.extend(fit(table, room.saturating_sub(rest.len())));
    } else {
        lines.push(HEADER.to_owned());
        lines.extend(partitions.into_iter().map(row));
    }
    lines.extend(rest);
    lines
}

/// Returns the lines that fit into so many rows; the last one says how many do not.
fn fit(mut lines: Vec<String>, rows: usize) -> Vec<String> {
    if lines.len() > rows {
        let shown = rows.saturating_sub(1);
        let more = lines.len() - shown;
        lines.truncate(shown);
        if rows > 0 {
            lines.push(format!("and {more} more"));
        }
    }
    lines
}

const HEADER: &str =
    "partition   position        lag  definitions  clock                     owner";

fn row(partition: &PartitionLag) -> String {
    let unknown = || "unknown".to_owned();
    let lag = partition.lag.map_or_else(unknown, |lag| lag.to_string());
    let not_set = || "not set".to_owned();
    let clock = partition.clock.map_or_else(not_set, |at| at.to_string());
    let progress = &partition.progress;
    let owner = match (&progress.owner, partition.is_owned) {
        (Some(owner), true) => owner,
        _ => "none",
    };
    format!(
        "{:>9} {:>10} {lag:>10} {:>12}  {clock:<24}  {owner}",
        progress.partition, progress.next_offset, progress.definitions
    )
}

fn summary(status: &Status) -> String {
    let lag = &status.lag;
    let mut text = format!(
        "generation {}, topic {}, lag {}",
        status.generation, status.topic, lag.total
    );
    if lag.unanswered.is_some() {
        let as_of = lag.as_of.map(|at| format!(" as of {at}"));
        text.push_str(&as_of.unwrap_or_else(|| " or more".to_owned()));
    }
    if let Some(pace) = status.pace {
        text.push_str(", ");
        text.push_str(&pace.to_text());
    }
    text
}

/// Returns the lines about what needs an operator.
fn problems(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(text) = unowned(&status.lag) {
        lines.push(text);
    }
    if let Some(reason) = &status.lag.unanswered {
        lines.push(format!("the lag is not known: {reason}"));
    }
    if let Some(unknown) = &status.unknown_definitions {
        let message = &unknown.message;
        lines.push(format!("no newer definitions come into force: {message}"));
    }
    let headroom = status.deferred_headroom.iter();
    lines.extend(headroom.filter_map(Headroom::warning));
    lines.extend(status.retention.iter().cloned());
    lines
}

/// Returns the partitions without an owner, the greatest lag first; `None` if there are none.
pub(super) fn unowned(lag: &Lag) -> Option<String> {
    let unowned = lag.unowned();
    let total = lag.partitions.len();
    let waiting: i64 = unowned.iter().filter_map(|found| found.lag).sum();
    let list = unowned.iter().take(LISTED).map(|found| {
        let number = found.progress.partition;
        match found.seen_at {
            Some(at) => format!("{number} since {at}"),
            None => format!("{number} never claimed"),
        }
    });
    let list: Vec<_> = list.collect();
    let more = match unowned.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    (!unowned.is_empty()).then(|| {
        format!(
            "unowned: {} of {total} partitions, with {waiting} records to fold ({}{more})",
            unowned.len(),
            list.join(", ")
        )
    })
}

/// Returns how far timers are behind the clocks; `None` if all that are due have fired.
fn due_timers(lag: &Lag) -> Option<String> {
    let behind = lag.partitions.iter();
    let behind = behind.filter(|found| found.timers_fired_to < found.clock);
    let count = behind.clone().count();
    let least = behind.map(|found| found.timers_fired_to).min()?;
    let since = least.map_or_else(|| "the beginning".to_owned(), |at| at.to_string());
    Some(format!(
        "timers due in {count} partitions: lists, sizes and rollups are as of {since}"
    ))
}

/// The share of the quota of parked bytes from which on a tenant is named, in percent.
const NEAR_QUOTA: i64 = 80;

/// Returns the lines about tenants whose parked events take most of their quota.
fn near_quota(status: &Status) -> Vec<String> {
    let quota = status.parked_quota_bytes;
    let near = |found: &&ParkedBytes| found.bytes.saturating_mul(100) >= quota * NEAR_QUOTA;
    let line = |found: &ParkedBytes| {
        let ParkedBytes {
            tenant,
            partition,
            bytes,
        } = found;
        let percent = bytes.saturating_mul(100) / quota.max(1);
        let of =
            format!("{bytes} bytes in partition {partition}, {percent} % of the quota of a tenant");
        match tenant {
            Some(tenant) => format!(
                "parked events of tenant {tenant}: {of}; beyond it the tenant is deferred there: \
                 `tidemark parked summary --tenant {tenant}` shows them"
            ),
            None => format!(
                "parked events of which no tenant could be read: {of}; \
                 `tidemark parked summary` shows them"
            ),
        }
    };
    status.parked_bytes.iter().filter(near).map(line).collect()
}

/// Returns the lines below the partitions.
fn rest(status: &Status) -> Vec<String> {
    let mut lines: Vec<_> = status.deferred.iter().map(Deferred::to_text).collect();
    for parked in &status.parked {
        let Parked {
            tenant,
            reason,
            events,
        } = parked;
        let tenant = tenant.as_deref().unwrap_or("unknown");
        lines.push(format!(
            "parked {reason}: {events} events of tenant {tenant}"
        ));
    }
    lines.extend(near_quota(status));
    lines.extend(due_timers(&status.lag));
    for large in &status.largest_customers {
        let LargeCustomer {
            tenant,
            customer,
            bytes,
        } = large;
        lines.push(format!(
            "large customer {customer} of tenant {tenant}: {bytes} bytes in each commit"
        ));
    }
    for Reevaluating { tenant, version } in &status.reevaluating {
        lines.push(format!("re-evaluating {tenant} under version {version}"));
    }
    for offboarding in &status.offboarding {
        let Offboarding {
            tenant,
            version,
            partition,
            customers,
            ..
        } = offboarding;
        lines.push(format!(
            "offboarding {tenant} by version {version}: rows are left in partition {partition}, {customers} \
             customers are erased"
        ));
    }
    for tenant in &status.tenants {
        let TenantProgress {
            tenant,
            name,
            customers,
            events,
        } = tenant;
        let name = name.as_ref().map(|name| format!(" ({name})"));
        let name = name.unwrap_or_default();
        lines.push(format!(
            "tenant {tenant}{name}: {customers} customers, {events} events"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::PartitionProgress;

    fn status(lags: impl IntoIterator<Item = (i64, bool)>) -> Status {
        let partitions = lags.into_iter().zip(0..);
        let partitions = partitions.map(|((lag, is_owned), partition)| PartitionLag {
            progress: PartitionProgress {
                partition,
                owner: Some("a".to_owned()),
                ..PartitionProgress::default()
            },
            lag: Some(lag),
            clock: None,
            timers_fired_to: None,
            is_owned,
            seen_at: None,
        });
        Status {
            generation: 1,
            topic: "customer-events".to_owned(),
            retention: Vec::new(),
            unknown_definitions: None,
            lag: Lag {
                total: 0,
                as_of: None,
                partitions: partitions.collect(),
                unanswered: None,
            },
            pace: None,
            tenants: Vec::new(),
            parked: Vec::new(),
            parked_bytes: Vec::new(),
            parked_quota_bytes: 1_000,
            largest_customers: Vec::new(),
            deferred: Vec::new(),
            deferred_headroom: Vec::new(),
            reevaluating: (0..30)
                .map(|number| Reevaluating {
                    tenant: format!("t-{number}"),
                    version: 1,
                })
                .collect(),
            offboarding: Vec::new(),
        }
    }

    #[test]
    fn screen_holds_the_worst_partitions_and_counts_the_others() {
        let mut lags = vec![(7, true); 200];
        lags[150] = (9_000, true);
        lags[160] = (5, false);
        let screen = lines(&status(lags), Some(24));
        assert_eq!(screen.len(), 24);
        assert!(screen[0].starts_with("unowned: 1 of 200 partitions, with 5 records to fold"));
        assert!(screen[3].trim_start().starts_with("160 "), "{}", screen[3]);
        assert!(screen[4].trim_start().starts_with("150 "), "{}", screen[4]);
        assert_eq!(screen[16], "and 187 more", "{screen:#?}");
        assert_eq!(screen[23], "and 24 more", "{screen:#?}");
    }

    #[test]
    fn due_timers_are_told_with_the_instant_that_lists_are_as_of() {
        let mut status = status(vec![(0, true); 3]);
        assert_eq!(due_timers(&status.lag), None);
        let at = |text: &str| Some(text.parse().expect("an instant"));
        for partition in &mut status.lag.partitions[1..] {
            partition.clock = at("2026-03-01T00:01:00Z");
            partition.timers_fired_to = at("2026-02-28T22:59:59Z");
        }
        assert_eq!(
            due_timers(&status.lag).as_deref(),
            Some(
                "timers due in 2 partitions: lists, sizes and rollups are as of \
                 2026-02-28T22:59:59Z"
            )
        );
    }

    #[test]
    fn tenants_from_four_fifths_of_the_quota_of_parked_bytes_on_are_named() {
        let mut status = status([]);
        let held = |tenant: Option<&str>, bytes| ParkedBytes {
            tenant: tenant.map(str::to_owned),
            partition: 3,
            bytes,
        };
        status.parked_bytes = vec![
            held(None, 1_200),
            held(Some("acme"), 800),
            held(Some("globex"), 799),
        ];
        let lines = near_quota(&status);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("no tenant could be read: 1200 bytes in partition 3, 120 %"));
        assert!(lines[1].contains("tenant acme: 800 bytes in partition 3, 80 %"));
    }

    #[test]
    fn status_without_a_screen_lists_everything_in_order() {
        let all = lines(&status(vec![(7, true); 200]), None);
        assert_eq!(all.len(), 2 + 200 + 30);
        assert!(all[201].trim_start().starts_with("199 "), "{}", all[201]);
    }
}
