//! What to measure, and how much of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::events::TENANTS;

/// Measures Tidemark beside what it stands on.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Ends with one JSON object on a line of its own.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What cargo passes to every bench.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(flatten)]
    pub(crate) size: Size,
    /// One part alone.
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// How much.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Size {
    /// Customers, over all tenants.
    #[arg(long, default_value_t = 1_000_000, global = true)]
    pub(crate) customers: u32,
    /// Tenants, of whom each has as many.
    #[arg(long, default_value_t = TENANTS, global = true, hide = true)]
    pub(crate) tenants: u32,
    /// Events published after every customer has its history.
    #[arg(long, default_value_t = 400_000, global = true)]
    pub(crate) events: usize,
    /// How the customers of those events are drawn.
    #[arg(long, value_enum, default_value_t = Distribution::Uniform, global = true)]
    pub(crate) distribution: Distribution,
    /// The same seed, the same events on the same day.
    #[arg(long, default_value_t = 42, global = true)]
    pub(crate) seed: u64,
    /// The processor's memory budget.
    #[arg(long, default_value_t = 512, global = true)]
    pub(crate) memory_mib: u64,
}

/// How customers are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    /// Each as likely as the other.
    Uniform,
    /// By Zipf's law with exponent 0.99, ranks scattered over ids.
    Zipf,
}

/// One part alone.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Part {
    /// Fold and decode, in memory.
    Micro,
    /// Starts brokers and database, fills the topic, prints where, and stays until stdin closes.
    Topic,
    /// Runs our processor over such a topic.
    Live {
        /// A file with the line that `topic` printed.
        #[arg(long)]
        site: PathBuf,
    },
    /// A tenant with a hundred segments, on a live stream and while its definitions change; takes
    /// `--customers 200000`.
    Segments,
    /// From publishing to the read API.
    Visible,
    /// Cached answers of the read API.
    Api,
    /// The server that it is compared with.
    #[command(hide = true)]
    Constant {
        /// On the loopback.
        port: u16,
        /// Of the answer's body.
        bytes: usize,
    },
    /// Kafka Streams beside us, on the same topic.
    Peers(PeersArguments),
}

/// How long to compare, and with what.
#[derive(Debug, Clone, Args)]
pub(crate) struct PeersArguments {
    /// The folder with the jars of `benches/peers/kafka-streams`.
    #[arg(long)]
    pub(crate) jars: PathBuf,
    /// Each system runs once a round; the second begins with the other one.
    #[arg(long, default_value_t = 2)]
    pub(crate) rounds: u32,
    /// How long events are published and looked for; 0 leaves that out.
    #[arg(long, default_value_t = 10)]
    pub(crate) delay_seconds: u32,
}
