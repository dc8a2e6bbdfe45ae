//! Asking the owners of partitions to fold parked events again, to let them go, to resume a tenant;
//! and waiting for what becomes of it.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;
use tidemark_processor::parking::Reason;
use tidemark_processor::store::{
    Action, Outcome, OutcomeCount, ParkedCount, ParkedFilter, Request, Store,
};
use tidemark_schemas::TenantId;
use uuid::Uuid;

use super::Doing;
use super::republish::Republisher;
use super::which::Which;
use crate::config::{Config, user_name};
use crate::failure::Usage;
use crate::output;

/// Events asked for in one transaction.
const PAGE: i64 = 500;
/// Between two looks at what became of a request.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What would be done, or what became of it.
#[derive(Debug, Serialize)]
struct Report {
    /// Nothing was done: `--apply` was not given.
    dry_run: bool,
    /// Names the command in the audit.
    request: Option<Uuid>,
    /// Parked events that matched.
    matching: i64,
    /// Not parked any more.
    done: i64,
    /// Still parked.
    still_parked: i64,
    /// Not taken up yet by the owner of their partition.
    waiting: i64,
    /// By tenant and reason for a dry run, by outcome and reason else.
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
    store: &Store,
    config: &Config,
    which: &Which,
    doing: Doing,
) -> anyhow::Result<()> {
    let filter = which.filter();
    let counts = store.count_parked(&filter).await?;
    if !doing.apply {
        return foretell("folded again", counts, doing.json);
    }
    let request = request(Action::Redrive, None);
    let mut republisher = Republisher::new(config, store.generation().partitions);
    let mut after = (-1, -1);
    loop {
        let page = store.list_parked(&filter, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = (last.partition, last.event.offset);
        let (strays, others): (Vec<_>, Vec<_>) = page
            .into_iter()
            .partition(|parked| parked.event.reason == Reason::Misrouted.as_str());
        let others: Vec<_> = others
            .iter()
            .map(|one| (one.partition, one.event.offset))
            .collect();
        store.request(&request, &others).await?;
        let delivered = republisher.publish(strays).await?;
        let moved = Request {
            action: Action::Republished,
            note: Some("published again to its home".to_owned()),
            ..request.clone()
        };
        store.request(&moved, &delivered).await?;
    }
    finish(store, &request, counts, republisher.refused(), doing).await
}

pub(super) async fn discard(
    store: &Store,
    which: &Which,
    because: String,
    doing: Doing,
) -> anyhow::Result<()> {
    if which.is_all() {
        return Err(Usage::new("discard needs a filter or positions").into());
    }
    if because.trim().is_empty() {
        return Err(Usage::new("--because must say why").into());
    }
    let filter = which.filter();
    let counts = store.count_parked(&filter).await?;
    if !doing.apply {
        return foretell("discarded", counts, doing.json);
    }
    let request = request(Action::Discard, Some(because));
    ask(store, &filter, &request).await?;
    finish(store, &request, counts, 0, doing).await
}

fn request(action: Action, note: Option<String>) -> Request {
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

async fn ask(store: &Store, filter: &ParkedFilter, request: &Request) -> anyhow::Result<()> {
    let mut after = (-1, -1);
    loop {
        let page = store.list_parked(filter, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = (last.partition, last.event.offset);
        let positions: Vec<_> = page
            .iter()
            .map(|one| (one.partition, one.event.offset))
            .collect();
        store.request(request, &positions).await?;
    }
}

fn foretell(what: &str, counts: Vec<ParkedCount>, json: bool) -> anyhow::Result<()> {
    let matching = counts.iter().map(|count| count.events).sum();
    let events = counts.into_iter().map(|count| Line {
        outcome: None,
        tenant: count.tenant,
        reason: Some(count.reason),
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
        0 => "nothing is parked that matches".to_owned(),
        events => format!("{events} events would be {what}; --apply does it"),
    });
    Ok(())
}

/// Waits for what becomes of a request, within the deadline, and says it.
async fn finish(
    store: &Store,
    request: &Request,
    counts: Vec<ParkedCount>,
    refused: i64,
    doing: Doing,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let outcomes = loop {
        let outcomes = store.outcomes(request.id).await?;
        let waits = outcomes.iter().any(|count| count.outcome.is_none());
        if !waits || begun.elapsed() >= doing.deadline() {
            break outcomes;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let of = |wanted: fn(Option<Outcome>) -> bool| -> i64 {
        let found = outcomes.iter().filter(|count| wanted(count.outcome));
        found.map(|count| count.events).sum()
    };
    let waiting = of(|outcome| outcome.is_none());
    let still_parked = of(|outcome| outcome == Some(Outcome::Parked)) + refused;
    let done = of(|outcome| outcome.is_some_and(|outcome| outcome != Outcome::Parked));
    let report = Report {
        dry_run: false,
        request: Some(request.id),
        matching: counts.iter().map(|count| count.events).sum(),
        done,
        still_parked,
        waiting,
        events: outcomes.into_iter().map(line).collect(),
    };
    tell(&report, doing.json)?;
    if waiting > 0 {
        bail!(
            "{waiting} events wait for the processor that owns their partition: what was asked is \
             done when it runs (request {})",
            request.id
        );
    }
    if still_parked > 0 {
        bail!("{still_parked} events are still parked");
    }
    Ok(())
}

fn line(count: OutcomeCount) -> Line {
    Line {
        outcome: Some(count.outcome.map_or("waiting", Outcome::as_str)),
        tenant: None,
        reason: count.reason,
        // Of the many that went well nobody needs one in detail.
        detail: count.detail,
        events: count.events,
    }
}

fn tell(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(report);
    }
    for line in &report.events {
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
    if report.matching == 0 {
        output::line("nothing is parked that matches");
    }
    Ok(())
}

pub(super) async fn resume(store: &Store, tenant: &TenantId, doing: Doing) -> anyhow::Result<()> {
    let halted = store.halts().await?;
    let halted = halted.iter().filter(|halt| halt.tenant == tenant.as_str());
    let partitions = halted.count();
    if partitions == 0 {
        return resumed(doing, tenant, 0, "tenant is not halted");
    }
    if !doing.apply {
        return resumed(
            doing,
            tenant,
            partitions,
            "would be resumed; --apply does it",
        );
    }
    let subject = user_name();
    store
        .audit_operator(
            tenant.as_str(),
            &subject,
            "parked.resume",
            &store.generation().topic,
        )
        .await?;
    store.resume(tenant, &subject).await?;
    let mine = ParkedFilter {
        tenant: Some(tenant.clone()),
        reason: Some(Reason::Halted),
        ..ParkedFilter::default()
    };
    let begun = Instant::now();
    loop {
        let halts = store.halts().await?;
        let waits = halts
            .iter()
            .filter(|halt| halt.tenant == tenant.as_str() && halt.resume_by.is_some());
        let left = store.count_parked(&mine).await?;
        if waits.count() == 0 && left.is_empty() {
            return resumed(
                doing,
                tenant,
                partitions,
                "resumed, and what waited is folded",
            );
        }
        if begun.elapsed() >= doing.deadline() {
            let left: i64 = left.iter().map(|count| count.events).sum();
            bail!("tenant {tenant} is asked to be resumed; {left} events wait still");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn resumed(doing: Doing, tenant: &TenantId, partitions: usize, what: &str) -> anyhow::Result<()> {
    if doing.json {
        return output::json(&serde_json::json!({
            "tenant": tenant,
            "dry_run": !doing.apply,
            "partitions": partitions,
            "outcome": what,
        }));
    }
    output::line(match partitions {
        0 => format!("{tenant}: {what}"),
        partitions => format!("{tenant}, halted in {partitions} partitions: {what}"),
    });
    Ok(())
}
