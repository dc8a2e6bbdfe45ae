//! The engine: one task per partition owned, which folds its records and commits them.
//!
//! - `task`: the loop: gather input, build a batch, hand it to the commit under way after the last.
//! - `build`: judges records, loads what is missing, folds; yields a batch.
//! - `commit`: one batch on its way into the database.
//! - `folder`, `pending`, `rows`, `cache`, `timers`: the state of a partition, without I/O.
//! - `pace`: how large a batch may become.
//! - `tracking`: from when on tracked counters are exact.
//! - `redrive`: parked events that come back by themselves.
//! - `halts`: tenants of whom too much was parked.
//! - `verdict`: what a record is before any state is looked at.

mod build;
mod cache;
mod commit;
mod folder;
mod halts;
mod pace;
mod pending;
mod redrive;
mod rows;
mod task;
mod timers;
mod tracking;
mod verdict;

#[cfg(test)]
mod tests;

pub(crate) use task::{Ended, PartitionTask, Queue, Shared};
