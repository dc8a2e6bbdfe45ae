//! Resuming a halted tenant.

use std::time::Instant;

use anyhow::bail;
use tidemark_processor::parking::Reason;
use tidemark_processor::store::{OperatorStore, ParkedFilter};
use tidemark_schemas::TenantId;

use super::ApplyOptions;
use super::request::POLL_EVERY;
use crate::config::user_name;
use crate::output;

pub(super) async fn resume(
    store: &OperatorStore,
    tenant: &TenantId,
    options: ApplyOptions,
) -> anyhow::Result<()> {
    let halts = store.halts().await?;
    let halts = halts.iter().filter(|halt| halt.tenant == tenant.as_str());
    let partitions = halts.count();
    if partitions == 0 {
        return report(options, tenant, 0, "tenant is not halted");
    }
    if !options.apply {
        let outcome = "would be resumed; repeat the command with --apply";
        return report(options, tenant, partitions, outcome);
    }
    let subject = user_name();
    let topic = &store.generation().topic;
    store
        .database()
        .audit_operator(tenant.as_str(), &subject, "parked.resume", topic)
        .await?;
    store.resume(tenant, &subject).await?;
    wait_until_resumed(store, tenant, options).await?;
    let outcome = "resumed, and the events of the halt are folded";
    report(options, tenant, partitions, outcome)
}

/// Waits until no partition has the command pending and no event of the halt is parked.
async fn wait_until_resumed(
    store: &OperatorStore,
    tenant: &TenantId,
    options: ApplyOptions,
) -> anyhow::Result<()> {
    let filter = ParkedFilter {
        tenant: Some(tenant.clone()),
        reason: Some(Reason::Halted),
        ..ParkedFilter::default()
    };
    let begun = Instant::now();
    loop {
        let halts = store.halts().await?;
        let is_pending = halts
            .iter()
            .any(|halt| halt.tenant == tenant.as_str() && halt.resume_by.is_some());
        let parked = store.count_parked(&filter).await?;
        if !is_pending && parked.is_empty() {
            return Ok(());
        }
        if begun.elapsed() >= options.deadline() {
            let parked: i64 = parked.iter().map(|count| count.events).sum();
            bail!(
                "tenant {tenant} is not resumed yet, and {parked} of its events are still parked: \
                 a running `tidemark process` applies the command; `tidemark parked halted` shows \
                 when it has"
            );
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

fn report(
    options: ApplyOptions,
    tenant: &TenantId,
    partitions: usize,
    outcome: &str,
) -> anyhow::Result<()> {
    if options.json {
        return output::json(&serde_json::json!({
            "tenant": tenant,
            "dry_run": !options.apply,
            "partitions": partitions,
            "outcome": outcome,
        }));
    }
    output::line(match partitions {
        0 => format!("{tenant}: {outcome}"),
        partitions => format!("{tenant}, halted in {partitions} partitions: {outcome}"),
    });
    Ok(())
}
