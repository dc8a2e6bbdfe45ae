//! `tidemark parked`
//!
//! Reads Postgres in the role of the processor and never moves a parked event itself: a command is
//! requested in the database, the owner of the event's partition applies it behind its fence, and the
//! outcome is reported here.

mod accept_late;
mod inspect;
pub(super) mod request;
mod selection;
mod summary;

use std::time::Duration;

use tidemark_processor::store::{Database, OperatorStore, StoreConfig};

use self::selection::{Position, Selection};
use crate::config::Config;
use crate::database;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List parked events, each with its reason
    #[command(
        after_help = "Example:\n  tidemark parked list --tenant acme --parked-reason invalid --newer-than 2h"
    )]
    List {
        #[command(flatten)]
        selection: Selection,
        /// The most events to list
        #[arg(long, default_value_t = 100, value_name = "EVENTS")]
        limit: i64,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Count parked events by source, reason and day, with the first of each
    #[command(
        after_help = "Example:\n  tidemark parked summary --source hubspot --newer-than 7d\n\n\
        The source is the field `source` of events; it is unknown for records that could not be read."
    )]
    Summary(summary::Arguments),
    /// Show one parked event: its content, headers and bytes
    #[command(
        after_help = "Example:\n  tidemark parked show 3@1207\n\nShowing an event is audited."
    )]
    Show {
        /// Partition and offset, as `list` prints them
        position: Position,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Retry parked events
    #[command(
        after_help = "Example:\n  tidemark parked redrive --parked-reason unknown_schema --apply\n\n\
        Without --apply nothing changes, and the command prints how many events it would retry.\n\
        The processor that owns the partition folds the events, and publishes misrouted ones to\n\
        their expected partition. Events that still cannot be folded stay parked, and the exit\n\
        code is then 1.\n\n\
        With --accept-late, the command searches the whole log of the partition for events parked\n\
        `late`. An event is accepted, by a definition and for good, if no other record of it was\n\
        folded."
    )]
    Redrive {
        #[command(flatten)]
        selection: Selection,
        /// Fold late events too, unless the log shows that they were folded before
        #[arg(long)]
        accept_late: bool,
        #[command(flatten)]
        options: ApplyOptions,
    },
    /// Discard parked events for good
    #[command(
        after_help = "Example:\n  tidemark parked discard 3@1207 --reason 'a test of the vendor' --apply\n\n\
        Without --apply nothing changes, and the command prints how many events it would discard.\n\
        A filter or positions are required. The audit keeps position, reason and author; a rebuild\n\
        parks the event again."
    )]
    Discard {
        #[command(flatten)]
        selection: Selection,
        /// The reason for discarding, kept in the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        options: ApplyOptions,
    },
}

/// The options of commands that change something.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ApplyOptions {
    /// Apply the command; without it nothing changes
    #[arg(long)]
    pub(super) apply: bool,
    /// The longest wait until the command is applied
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Print one line of JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl ApplyOptions {
    pub(super) const fn deadline(self) -> Duration {
        Duration::from_secs(self.wait)
    }
}

pub(crate) async fn run(command: Command, config: Config) -> anyhow::Result<()> {
    let store = connect(&config).await?;
    match command {
        Command::List {
            selection,
            limit,
            json,
        } => inspect::list(&store, &selection, limit, json).await,
        Command::Summary(arguments) => summary::summarize(&store, arguments).await,
        Command::Show { position, json } => inspect::show(&store, &config, position, json).await,
        Command::Redrive {
            selection,
            accept_late: true,
            options,
        } => accept_late::accept(&store, &config, &selection, options).await,
        Command::Redrive {
            selection, options, ..
        } => request::redrive(&store, &selection, options).await,
        Command::Discard {
            selection,
            reason,
            options,
        } => request::discard(&store, &selection, reason, options).await,
    }
}

/// Connects in the role of the processor. Commits wait for the disk: operator commands are in no log.
pub(super) async fn connect(config: &Config) -> anyhow::Result<OperatorStore> {
    let database = Database::connect(&StoreConfig {
        url: database::url(&config.database)?,
        role: Some(config.database.processor_role.clone()),
        writers: 1,
        synchronous_commit: true,
    })
    .await?;
    let generation = database.active_generation().await?;
    Ok(OperatorStore::open(&database, generation)?)
}
