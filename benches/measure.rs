//! What Tidemark does a second, always beside what the parts it stands on do by themselves.
//!
//! `make bench` runs everything: the release binary between a real Apache Kafka and a real
//! `PostgreSQL`, and prints a table; with `ARGS=--json` the last line is one JSON object. Parts can be
//! run alone (see `--help`); `topic` leaves brokers and a filled topic running for other systems to
//! be measured on, and `live` runs ours there.
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot do its work has nothing to say but so"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures go to the one, progress to the other"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "names are fresh, processes inherit an environment, and tasks end with the run"
)]

use clap::Parser as _;

mod measure {
    pub(crate) mod api;
    pub(crate) mod arguments;
    pub(crate) mod consume;
    pub(crate) mod events;
    pub(crate) mod live;
    pub(crate) mod micro;
    pub(crate) mod peers;
    pub(crate) mod publish;
    pub(crate) mod replay;
    pub(crate) mod report;
    pub(crate) mod segments;
    pub(crate) mod site;
    pub(crate) mod visible;
    pub(crate) mod whole;
}

/// The harness of the tests.
#[allow(dead_code, reason = "benches need a part of it")]
#[path = "../tests/it"]
mod it {
    pub(crate) mod support;
}

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments = measure::arguments::Arguments::parse();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(measure::whole::run(arguments));
}
