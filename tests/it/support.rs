//! What the tests stand on: a real broker, a real `PostgreSQL`, a schema registry, the real binary.

pub(crate) mod api;
pub(crate) mod compare;
pub(crate) mod generate;
pub(crate) mod guarded;
pub(crate) mod kafka;
pub(crate) mod logs;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod publish;
pub(crate) mod read;
pub(crate) mod reference;
pub(crate) mod registry;
pub(crate) mod shared;
pub(crate) mod site;
pub(crate) mod up;
pub(crate) mod wait;
