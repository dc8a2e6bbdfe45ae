//! The engine: one task per owned partition, which folds its records and commits them.
//!
//! - `context`: what the tasks share, and how they exit.
//! - `handle`: a partition from its claim to the exit of its task.
//! - `task`: the loop: gather input, fold a batch, commit it after the one in flight.
//! - `inbox`: the records handed over; `batch`: those that one batch takes.
//! - `definitions_source`: the definitions that take force, live or recorded.
//! - `classification`, `routing`, `park`: a record before any state is read: fold it, forward it, or
//!   park it and why; `forwarding`: misrouted events published to their expected partitions.
//! - `admission`, `halts`, `parked_bytes`: fold or park; tenants deferred because too many of their records
//!   were parked, or too many bytes.
//! - `catch_up`: deferred tenants and customers folded from the log, beside the partition.
//! - `redrive`, `commands`: parked events that are retried, by themselves or by an operator.
//! - `projector`: the folder with the database behind it: loads and commits; `commit`, `pace`: the
//!   commit in flight, the size of batches and the time that they linger; `retry`: unavailable servers;
//!   `careful`: batches that find the customer of a row that Postgres refuses.
//! - `folder`, `pending`, `rows`, `cache`, `timers`, `tracking`, `large`: the state of a partition, without I/O;
//!   `step`: the guarded steps of a customer's processing; `failed_customer`: a customer that failed in one.

mod admission;
mod batch;
mod cache;
mod careful;
mod catch_up;
mod classification;
mod commands;
mod commit;
mod context;
mod definitions_source;
mod failed_customer;
mod folder;
mod forwarding;
mod halts;
mod handle;
mod inbox;
mod large;
mod pace;
mod park;
mod parked_bytes;
mod pending;
mod projector;
mod redrive;
mod retry;
mod routing;
mod rows;
mod schema_lookups;
mod step;
mod task;
mod timers;
mod tracking;

#[cfg(test)]
mod tests;

pub(crate) use careful::Careful;
pub(crate) use context::{Context, TaskExit};
pub(crate) use definitions_source::DefinitionsSource;
pub(crate) use failed_customer::{FailedCustomer, PoisonedEvent};
pub(crate) use handle::{Assignment, ClaimedPartition, ExitQueue, ExitedTask, PartitionHandle};
