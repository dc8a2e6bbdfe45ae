//! Chaos on the real broker and the real Postgres: processes, servers and networks fail at random
//! moments while events come in, and in the end the tables must hold what a fold in memory of what
//! was published holds. One event lost, or counted twice, fails.
//!
//! `make test` runs each in a short form. `make soak` runs [`storm`] for ten minutes.

mod faults;
mod members;
mod publishing;
mod small_disk;
mod storm;
mod traffic;
mod witness;
mod world;
