//! Throughput of Tidemark, each measurement beside a yardstick of the same run.
//!
//! `make bench` runs all parts: the release binary between a real Apache Kafka and a real
//! `PostgreSQL`. It prints a table; with `ARGS=--json` the last line is one JSON object. Parts can be
//! run alone (see `--help`): `topic` leaves brokers and a filled topic running so that other systems
//! can be measured on them, and `live` runs the processor there.
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot do its work has nothing to say but so"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measurements go to stdout, progress to stderr"
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
    pub(crate) mod giant;
    pub(crate) mod halted;
    pub(crate) mod live;
    pub(crate) mod micro;
    pub(crate) mod midnight;
    pub(crate) mod peers;
    pub(crate) mod publish;
    pub(crate) mod replay;
    pub(crate) mod report;
    pub(crate) mod segments;
    pub(crate) mod site;
    pub(crate) mod stream;
    pub(crate) mod visible;
    pub(crate) mod whole;
}

/// The harness of the tests.
#[allow(dead_code, reason = "benches need a part of it")]
#[path = "../tests/it"]
mod it {
    pub(crate) mod support;
}

/// The allocator of the binary.
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
