//! The harness of the integration tests: a real broker, a real `PostgreSQL`, a schema registry and
//! the real binary.

pub(crate) mod api;
pub(crate) mod certificates;
#[path = "../../processor/tests/store/cluster.rs"]
#[allow(
    dead_code,
    reason = "the tests of the store use functions that these do not"
)]
pub(crate) mod cluster;
pub(crate) mod compare;
pub(crate) mod described;
pub(crate) mod faulty;
pub(crate) mod generate;
pub(crate) mod guarded;
pub(crate) mod history;
pub(crate) mod kafka;
pub(crate) mod logs;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod processor;
pub(crate) mod prometheus;
pub(crate) mod publish;
pub(crate) mod quiet;
pub(crate) mod raw_produce;
pub(crate) mod read;
pub(crate) mod reference;
pub(crate) mod registry;
pub(crate) mod rollups;
pub(crate) mod secure;
pub(crate) mod shared;
pub(crate) mod site;
pub(crate) mod topics;
pub(crate) mod up;
pub(crate) mod wait;
