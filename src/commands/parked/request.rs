//! Redriving and discarding: a command is requested in the database, page by page, and the owners of
//! the partitions apply it; this side waits for the outcomes and reports them.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;
use tidemark_processor::store::{
    Action, OperatorStore, Outcome, OutcomeCount, ParkedCount, ParkedEvent, ParkedFilter, Request,
};
use uuid::Uuid;

use super::ApplyOptions;
use super::selection::Selection;
use crate::config::user_name;
use crate::failure::Usage;
use crate::output;

/// The number of events requested in one transaction.
const PAGE: i64 = 500;
/// The pause between two queries of the outcomes.
pub(in crate::commands) const POLL_EVERY: Duration = Duration::from_millis(200);

/// The effect that a command would have, or has had.
#[derive(Debug, Serialize)]
struct Report {
    /// True without `--apply`: nothing was changed.
    dry_run: bool,
    /// The id of the command in the audit.
    request: Option<Uuid>,
    /// The number of parked events selected.
    matching: i64,
    /// The number of events no longer parked.
    done: i64,
    /// The number of events that are parked after the command was applied to them.
    still_parked: i64,
    /// The number of events to which the owner of their partition has not applied the command yet.
    waiting: i64,
    /// The numbers of events by tenant and reason in a dry run, by outcome and reason otherwise.
    events: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    events: i64,
}

pub(super) async fn redrive(
    store: &OperatorStore,
    selection: &Selection,
    options: ApplyOptions,
) -> anyhow::Result<()> {
    let filter = selection.filter();
    let counts = store.count_parked(&filter).await?;
    if !options.apply {
        return report_dry_run("redriven", counts, options.json);
    }
    let request = new_request(Action::Redrive, None);
    request_all(store, &filter, &request).await?;
    wait_and_report(store, &request, counts, options).await
}

pub(super) async fn discard(
    store: &OperatorStore,
    selection: &Selection,
    reason: String,
    options: ApplyOptions,
) -> anyhow::Result<()> {
    if selection.is_all() {
        return Err(Usage::new(
            "discard needs a filter or positions, so that no mistake discards every parked event: \
             see tidemark parked discard --help",
        )
        .into());
    }
    if reason.trim().is_empty() {
        return Err(Usage::new("--reason is empty: the audit keeps it, so state one").into());
    }
    let filter = selection.filter();
    let counts = store.count_parked(&filter).await?;
    if !options.apply {
        return report_dry_run("discarded", counts, options.json);
    }
    let request = new_request(Action::Discard, Some(reason));
    request_all(store, &filter, &request).await?;
    wait_and_report(store, &request, counts, options).await
}

fn new_request(action: Action, note: Option<String>) -> Request {
    #[expect(
        clippy::disallowed_methods,
        reason = "a command is not content: two are never the same"
    )]
    let id = Uuid::new_v4();
    let subject = user_name();
    Request {
        id,
        action,
        subject,
        note,
    }
}

async fn request_all(
    store: &OperatorStore,
    filter: &ParkedFilter,
    request: &Request,
) -> anyhow::Result<()> {
    let mut after = (-1, -1);
    loop {
        let page = store.list_parked(filter, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = (last.partition, last.event.offset);
        store.request(request, &positions(&page)).await?;
    }
}

fn positions(events: &[ParkedEvent]) -> Vec<(i32, i64)> {
    let positions = events
        .iter()
        .map(|parked| (parked.partition, parked.event.offset));
    positions.collect()
}

fn report_dry_run(done: &str, counts: Vec<ParkedCount>, json: bool) -> anyhow::Result<()> {
    let matching = counts.iter().map(|count| count.events).sum();
    let events = counts.into_iter().map(|count| Line {
        outcome: None,
        tenant: count.tenant,
        reason: Some(count.reason.to_string()),
        detail: None,
        events: count.events,
    });
    let report = Report {
        dry_run: true,
        request: None,
        matching,
        done: 0,
        still_parked: matching,
        waiting: 0,
        events: events.collect(),
    };
    if json {
        return output::json(&report);
    }
    for line in &report.events {
        let tenant = line.tenant.as_deref().unwrap_or("unknown");
        let reason = line.reason.as_deref().unwrap_or_default();
        output::line(format!(
            "{} events of tenant {tenant}, {reason}",
            line.events
        ));
    }
    output::line(match matching {
        0 => "no parked event matches".to_owned(),
        events => format!("{events} events would be {done}; repeat the command with --apply"),
    });
    Ok(())
}

/// Waits for the outcomes of a request, up to the deadline, and reports them.
async fn wait_and_report(
    store: &OperatorStore,
    request: &Request,
    counts: Vec<ParkedCount>,
    options: ApplyOptions,
) -> anyhow::Result<()> {
    let outcomes = wait_for_outcomes(store, request, options.deadline()).await?;
    let sum = |is_wanted: fn(Option<Outcome>) -> bool| -> i64 {
        let wanted = outcomes.iter().filter(|count| is_wanted(count.outcome));
        wanted.map(|count| count.events).sum()
    };
    let waiting = sum(|outcome| outcome.is_none());
    let still_parked = sum(|outcome| outcome == Some(Outcome::Parked));
    let done = sum(|outcome| outcome.is_some_and(|outcome| outcome != Outcome::Parked));
    let report = Report {
        dry_run: false,
        request: Some(request.id),
        matching: counts.iter().map(|count| count.events).sum(),
        done,
        still_parked,
        waiting,
        events: outcomes.into_iter().map(Line::from).collect(),
    };
    report.print(options.json)?;
    if waiting > 0 {
        bail!(
            "{waiting} events wait for the processor that owns their partition: a running \
             `tidemark process` applies the command (request {})",
            request.id
        );
    }
    if still_parked > 0 {
        bail!(
            "{still_parked} events are still parked: `tidemark parked list` prints the reason of \
             each"
        );
    }
    Ok(())
}

async fn wait_for_outcomes(
    store: &OperatorStore,
    request: &Request,
    deadline: Duration,
) -> anyhow::Result<Vec<OutcomeCount>> {
    let begun = Instant::now();
    loop {
        let outcomes = store.outcomes(request.id).await?;
        let is_pending = outcomes.iter().any(|count| count.outcome.is_none());
        if !is_pending || begun.elapsed() >= deadline {
            return Ok(outcomes);
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

impl From<OutcomeCount> for Line {
    fn from(count: OutcomeCount) -> Self {
        Self {
            outcome: Some(count.outcome.map_or("waiting", Outcome::as_str)),
            tenant: None,
            reason: count.reason.map(|reason| reason.to_string()),
            detail: count.detail,
            events: count.events,
        }
    }
}

impl Report {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json(self);
        }
        for line in &self.events {
            let outcome = line.outcome.unwrap_or_default();
            let reason = line.reason.as_deref().map(|reason| format!(" ({reason})"));
            let detail = line
                .detail
                .as_deref()
                .map(|detail| format!(", for example: {detail}"));
            output::line(format!(
                "{} {outcome}{}{}",
                line.events,
                reason.unwrap_or_default(),
                detail.unwrap_or_default()
            ));
        }
        if self.matching == 0 {
            output::line("no parked event matches");
        }
        Ok(())
    }
}
