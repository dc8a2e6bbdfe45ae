//! The engine: one task per owned partition, which folds its records and commits them.
//!
//! - `context`: what the tasks share, and how they exit.
//! - `task`: the loop: gather input, fold a batch, hand it to the commit after the one in flight.
//! - `classification`, `park`: a record before any state is read: fold it, or park it and why.
//! - `batch`: a batch: classifies records, loads missing customers, folds.
//! - `commit`: one batch on its way into the database.
//! - `folder`, `pending`, `rows`, `cache`, `timers`: the state of a partition, without I/O.
//! - `pace`: the size of batches, and how long they linger.
//! - `tracking`: the instants from which tracked counters are exact.
//! - `redrive`: parked events that are retried without a command.
//! - `halts`: tenants halted because too many of their records were parked.

mod batch;
mod cache;
mod classification;
mod commit;
mod context;
mod folder;
mod halts;
mod pace;
mod park;
mod pending;
mod redrive;
mod rows;
mod task;
mod timers;
mod tracking;

#[cfg(test)]
mod tests;

pub(crate) use context::{Context, Queue, TaskExit};
pub(crate) use task::PartitionTask;
