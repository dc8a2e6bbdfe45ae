//! The commands: one composition root in each module.

pub(crate) mod config;
pub(crate) mod deferred;
pub(crate) mod define;
pub(crate) mod demo;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod parked;
pub(crate) mod process;
pub(crate) mod publish;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod tenants;
pub(crate) mod token;
pub(crate) mod train;
pub(crate) mod up;
pub(crate) mod why;
