//! The parts to measure, and their size.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::events::TENANTS;

/// Measures Tidemark beside yardsticks of the same run.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Print one JSON object as the last line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The flag that cargo passes to every bench.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(flatten)]
    pub(crate) size: Size,
    /// The one part to measure.
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// The size of a run.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Size {
    /// The number of customers of all tenants.
    #[arg(long, default_value_t = 1_000_000, global = true)]
    pub(crate) customers: u32,
    /// The number of tenants, which have the same number of customers.
    #[arg(long, default_value_t = TENANTS, global = true, hide = true)]
    pub(crate) tenants: u32,
    /// The number of events published after the histories of all customers.
    #[arg(long, default_value_t = 400_000, global = true)]
    pub(crate) events: usize,
    /// The distribution of those events over customers.
    #[arg(long, value_enum, default_value_t = Distribution::Uniform, global = true)]
    pub(crate) distribution: Distribution,
    /// The seed: the same seed gives the same events on the same day.
    #[arg(long, default_value_t = 42, global = true)]
    pub(crate) seed: u64,
    /// The processor's memory budget.
    #[arg(long, default_value_t = 512, global = true)]
    pub(crate) memory_mib: u64,
}

/// The distribution of events over customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    /// All customers with the same probability.
    Uniform,
    /// Zipf's law with exponent 0.99, ranks scattered over ids.
    Zipf,
}

/// A part of the benches.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Part {
    /// Fold and decode, in memory.
    Micro,
    /// Starts brokers and database, fills the topic, prints the addresses, and stays until stdin closes.
    Topic,
    /// Runs the processor on such a topic.
    Live {
        /// The file with the line that `topic` printed.
        #[arg(long)]
        site: PathBuf,
    },
    /// A tenant with a hundred segments, on a live stream and while its definitions change; run it
    /// with `--customers 200000`.
    Segments,
    /// One customer with very many events beside all others; run it with `--customers 100000`.
    Giant {
        /// The number of its events.
        #[arg(long, default_value_t = 2_000_000)]
        giant_events: usize,
    },
    /// A tenant that is halted, with very many events that wait, and resumed beside others; run it with
    /// `--customers 100000`.
    Halted {
        /// The number of its events that wait.
        #[arg(long, default_value_t = 1_000_000)]
        events_waiting: usize,
    },
    /// The delay from publishing an event to a response of the read API.
    Visible,
    /// A midnight at which all customers are due, under a stream of events of others.
    Midnight {
        /// The seconds after which it comes: until then all customers must be folded.
        #[arg(long, default_value_t = 300)]
        due_after: u32,
    },
    /// Cached responses of the read API.
    Api,
    /// The server that the API is compared with.
    #[command(hide = true)]
    Constant {
        /// The port on the loopback address.
        port: u16,
        /// The size of the response's body.
        bytes: usize,
    },
    /// Kafka Streams beside Tidemark, on the same topic.
    Peers(PeersArguments),
}

/// The options of the comparison with Kafka Streams.
#[derive(Debug, Clone, Args)]
pub(crate) struct PeersArguments {
    /// The folder with the jars of `benches/peers/kafka-streams`.
    #[arg(long)]
    pub(crate) jars: PathBuf,
    /// The number of rounds. Each system runs once a round; rounds swap the order.
    #[arg(long, default_value_t = 2)]
    pub(crate) rounds: u32,
    /// The seconds for which the delay is measured; 0 leaves that out.
    #[arg(long, default_value_t = 10)]
    pub(crate) delay_seconds: u32,
}
