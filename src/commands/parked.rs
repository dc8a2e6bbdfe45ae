//! `tidemark parked`
//!
//! Looks into Postgres as the processor does, and never moves a parked event itself: what is asked is
//! done by the owner of the event's partition, behind its fence, and reported here.

mod accepting;
mod asking;
mod looking;
mod republish;
mod which;

use std::time::Duration;

use tidemark_processor::store::{Store, StoreConfig};
use tidemark_schemas::TenantId;

use self::which::{Position, Which};
use crate::config::Config;
use crate::database;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Which events are parked, and why
    #[command(
        after_help = "Example:\n  tidemark parked list --tenant acme --reason invalid --newer-than 2h"
    )]
    List {
        #[command(flatten)]
        which: Which,
        /// Events shown at most
        #[arg(long, default_value_t = 100, value_name = "EVENTS")]
        limit: i64,
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Everything about one: what it says, its headers and its bytes
    #[command(
        after_help = "Example:\n  tidemark parked show 3@1207\n\nShowing an event is audited."
    )]
    Show {
        /// Partition and offset, as `list` shows them
        position: Position,
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Fold events again
    #[command(
        after_help = "Example:\n  tidemark parked redrive --reason unknown_schema --apply\n\n\
        Without --apply it only says what it would do. Misrouted events are published again to their\n\
        home; everything else is folded by the processor that owns the partition. What still cannot\n\
        be folded stays parked, and the exit code is then 1.\n\n\
        With --accept-late, events parked `late` are looked for in the whole log of their partition.\n\
        Those of which no other record was folded are accepted by a definition, for good."
    )]
    Redrive {
        #[command(flatten)]
        which: Which,
        /// Fold late events all the same, unless the log shows that they were folded before
        #[arg(long)]
        accept_late: bool,
        #[command(flatten)]
        doing: Doing,
    },
    /// Let events go, for good
    #[command(
        after_help = "Example:\n  tidemark parked discard 3@1207 --because 'a test of the vendor' --apply\n\n\
        Without --apply it only says what it would do. Needs a filter or positions. Position, reason\n\
        and who discarded it are kept in the audit; a rebuild would park the event again."
    )]
    Discard {
        #[command(flatten)]
        which: Which,
        /// Why: kept in the audit
        #[arg(long, value_name = "TEXT")]
        because: String,
        #[command(flatten)]
        doing: Doing,
    },
    /// Which tenants are halted, because too many of their records were parked
    #[command(after_help = "Example:\n  tidemark parked halted --json")]
    Halted {
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Fold a halted tenant again: first what was parked while it was halted, then what is new
    #[command(
        after_help = "Example:\n  tidemark parked resume --tenant acme --apply\n\n\
        Without --apply it only says what it would do."
    )]
    Resume {
        /// Which
        #[arg(long)]
        tenant: TenantId,
        #[command(flatten)]
        doing: Doing,
    },
}

/// Whether to do it, and how to wait for it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Doing {
    /// Do it; without this nothing is changed
    #[arg(long)]
    apply: bool,
    /// How long to wait until it is done
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

impl Doing {
    const fn deadline(self) -> Duration {
        Duration::from_secs(self.wait)
    }
}

pub(crate) async fn run(command: Command, config: Config) -> anyhow::Result<()> {
    let store = connect(&config).await?;
    match command {
        Command::List { which, limit, json } => looking::list(&store, &which, limit, json).await,
        Command::Show { position, json } => looking::show(&store, &config, position, json).await,
        Command::Redrive {
            which,
            accept_late: true,
            doing,
        } => accepting::accept(&store, &config, &which, doing).await,
        Command::Redrive { which, doing, .. } => {
            asking::redrive(&store, &config, &which, doing).await
        }
        Command::Discard {
            which,
            because,
            doing,
        } => asking::discard(&store, &which, because, doing).await,
        Command::Halted { json } => looking::halted(&store, json).await,
        Command::Resume { tenant, doing } => asking::resume(&store, &tenant, doing).await,
    }
}

/// With the processor's role, and waiting for the disk: what is asked here is not in any log.
async fn connect(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::connect(&StoreConfig {
        url: database::url(&config.database)?,
        role: Some(config.database.processor_role.clone()),
        writers: 1,
        synchronous_commit: true,
    })
    .await?)
}
