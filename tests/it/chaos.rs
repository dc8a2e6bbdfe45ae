//! Chaos tests on a real broker and a real Postgres: processes, servers and networks fail at random
//! moments while events arrive. At the end the tables must equal a fold in memory of the published
//! events. A single event that is lost, or counted twice, fails the test.
//!
//! `make test` runs each test in a short form. `make soak` runs [`storm`] for ten minutes.

mod failing;
mod faults;
mod last_acts;
mod members;
mod publishing;
mod small_disk;
mod storm;
mod strangers;
mod traffic;
mod witness;
mod world;
