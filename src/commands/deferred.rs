//! `tidemark deferred`
//!
//! Reads Postgres in the role of the processor. A command is requested in the database; the owner of the
//! partition lets the scope catch up, and its end is reported here.

use std::collections::BTreeSet;
use std::time::Instant as Elapsed;

use anyhow::bail;
use serde::Serialize;
use tidemark_processor::store::{DeferralReason, DeferredScope, OperatorStore, Scope};
use tidemark_schemas::{CustomerId, Instant, TenantId};

use super::parked::request::POLL_EVERY;
use super::parked::{ApplyOptions, connect};
use crate::config::{Config, user_name};
use crate::output;

/// The largest number of scopes that are read.
pub(super) const MOST: i64 = 10_000;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the tenants and customers that are not folded now
    #[command(after_help = "Example:\n  tidemark deferred list\n\n\
        Their events stay in the log. A tenant is deferred while it is not defined, or once it is halted\n\
        because too many of its records were parked, or its parked events take too many bytes; a customer,\n\
        once it could not be processed; and a tenant, once too many of its customers could not.")]
    List {
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Fold a tenant or a customer again from where it was deferred, once its cause is removed
    #[command(
        after_help = "Example:\n  tidemark deferred resume --tenant acme --apply\n\n\
        Without --apply nothing changes, and the command prints what it would do. The log is read again\n\
        beside live folding, until the tenant or customer has caught up; the command waits for that.\n\
        A tenant that is not defined is folded once it is: `tidemark define apply`."
    )]
    Resume {
        /// The tenant
        #[arg(long)]
        tenant: TenantId,
        /// One customer; without it the tenant as a whole
        #[arg(long)]
        customer: Option<CustomerId>,
        #[command(flatten)]
        options: ApplyOptions,
    },
}

/// A deferred scope, as commands print it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Deferred {
    tenant: String,
    /// The customer; absent for a whole tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    partition: i32,
    reason: &'static str,
    detail: String,
    /// The first record that was not folded.
    from_offset: i64,
    /// The first record that is not folded yet.
    next_offset: i64,
    /// The offsets up to the position of the partition.
    behind: i64,
    /// The events passed over.
    events: i64,
    /// The projections of the scope are as of this instant.
    clock: Option<Instant>,
    began_at: Instant,
    /// The operator that resumed it.
    resume_by: Option<String>,
}

impl From<DeferredScope> for Deferred {
    fn from(found: DeferredScope) -> Self {
        Self {
            tenant: found.scope.tenant.to_string(),
            customer: found.scope.customer.map(|customer| customer.to_string()),
            partition: found.partition,
            reason: found.reason.as_str(),
            detail: found.detail,
            from_offset: found.from_offset,
            next_offset: found.next_offset,
            behind: found.behind,
            events: found.events,
            clock: Some(found.clock).filter(|clock| *clock > Instant::MIN),
            began_at: found.began_at,
            resume_by: found.resume_by,
        }
    }
}

impl Deferred {
    /// Returns whether it is of one of these tenants as a whole.
    pub(super) fn is_whole(&self, tenants: &BTreeSet<TenantId>) -> bool {
        self.customer.is_none() && tenants.iter().any(|tenant| tenant.as_str() == self.tenant)
    }

    /// Returns the partition.
    pub(super) const fn partition(&self) -> i32 {
        self.partition
    }

    /// Returns the first offset that is not folded, and the clock there.
    pub(super) const fn stands_at(&self) -> (i64, Option<Instant>) {
        (self.next_offset, self.clock)
    }

    /// Returns the tenant, or the tenant and the customer.
    pub(super) fn scope(&self) -> String {
        match &self.customer {
            None => self.tenant.clone(),
            Some(customer) => format!("{}/{customer}", self.tenant),
        }
    }

    /// Returns a line for people, with the next step.
    pub(super) fn to_text(&self) -> String {
        let scope = self.scope();
        let Self {
            partition,
            reason,
            detail,
            events,
            behind,
            began_at,
            ..
        } = self;
        let next = match (&self.resume_by, *reason, &self.customer) {
            (Some(operator), ..) => {
                format!("{operator} has resumed it: {behind} offsets to catch up")
            }
            (None, "undefined", _) => "define it: `tidemark define apply`".to_owned(),
            (None, "quota", _) => {
                let customer = self.customer.as_ref();
                let customer = customer.map_or_else(String::new, |id| format!(" --customer {id}"));
                format!(
                    "redrive or discard parked events of it (`tidemark parked summary --tenant {0}`), then run \
                     `tidemark deferred resume --tenant {0}{customer} --apply`",
                    self.tenant
                )
            }
            (None, "quarantined", None) => format!(
                "run `tidemark deferred resume --tenant {} --apply` once the cause is mended: its quarantined \
                 customers are resumed with it",
                self.tenant
            ),
            (None, _, None) => format!(
                "correct its producer, then run `tidemark deferred resume --tenant {} --apply`",
                self.tenant
            ),
            (None, _, Some(customer)) => format!(
                "run `tidemark deferred resume --tenant {} --customer {customer} --apply` once the cause \
                 is mended",
                self.tenant
            ),
        };
        format!(
            "deferred {scope} in partition {partition} since {began_at}, {reason}: {detail}; events that wait \
             in the log: {events}; {next}"
        )
    }
}

/// Returns the deferred scopes.
pub(super) async fn load(store: &OperatorStore) -> anyhow::Result<Vec<Deferred>> {
    let found = store.deferrals(MOST).await?;
    Ok(found.into_iter().map(Deferred::from).collect())
}

pub(crate) async fn run(command: Command, config: Config) -> anyhow::Result<()> {
    let store = connect(&config).await?;
    match command {
        Command::List { json } => list(&store, json).await,
        Command::Resume {
            tenant,
            customer,
            options,
        } => resume(&store, &Scope { tenant, customer }, options).await,
    }
}

async fn list(store: &OperatorStore, json: bool) -> anyhow::Result<()> {
    let found = load(store).await?;
    if json {
        return output::json(&found);
    }
    if found.is_empty() {
        output::line("no tenant or customer is deferred");
    }
    for deferred in found {
        output::line(deferred.to_text());
    }
    Ok(())
}

async fn resume(store: &OperatorStore, scope: &Scope, options: ApplyOptions) -> anyhow::Result<()> {
    let partitions = resumable(store, scope).await?;
    if partitions == 0 {
        return report(options, scope, 0, "not deferred, or not defined");
    }
    if !options.apply {
        let outcome = "would be resumed; repeat the command with --apply";
        return report(options, scope, partitions, outcome);
    }
    let subject = user_name();
    let topic = &store.generation().topic;
    store
        .database()
        .audit_operator(scope.tenant.as_str(), &subject, "deferred.resume", topic)
        .await?;
    store.resume(scope, &subject).await?;
    let begun = Elapsed::now();
    while resumable(store, scope).await? > 0 {
        if begun.elapsed() >= options.deadline() {
            bail!(
                "{scope} is resumed and has not caught up yet: a running `tidemark process` reads the log \
                 again for it; `tidemark deferred list` shows how far"
            );
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    let outcome = "resumed, and its events are folded";
    report(options, scope, partitions, outcome)
}

/// Returns the number of partitions in which a scope waits for an operator, or catches up.
async fn resumable(store: &OperatorStore, scope: &Scope) -> anyhow::Result<usize> {
    let deferred = store.deferrals(MOST).await?;
    let resumable = |found: &&DeferredScope| {
        // The quarantined customers of a quarantined tenant are resumed with it.
        let is_with_it = scope.customer.is_none()
            && found.scope.tenant == scope.tenant
            && found.resume_by.is_some();
        (found.scope == *scope || is_with_it) && found.reason != DeferralReason::Undefined
    };
    Ok(deferred.iter().filter(resumable).count())
}

fn report(
    options: ApplyOptions,
    scope: &Scope,
    partitions: usize,
    outcome: &str,
) -> anyhow::Result<()> {
    if options.json {
        return output::json(&serde_json::json!({
            "tenant": scope.tenant,
            "customer": scope.customer,
            "dry_run": !options.apply,
            "partitions": partitions,
            "outcome": outcome,
        }));
    }
    output::line(match partitions {
        0 => format!("{scope}: {outcome}"),
        partitions => format!("{scope}, deferred in {partitions} partitions: {outcome}"),
    });
    Ok(())
}
