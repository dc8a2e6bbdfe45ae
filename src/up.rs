//! Everything in one process: the parts of `tidemark up`.
//!
//! - [`postgres`]: a private Postgres that dies with us.
//! - [`state_file`]: `up.json`, and the lock of the data directory.
//! - [`tokens`]: development tokens.
//! - `stack`: all of it, in the order in which it must begin and end.

pub mod postgres;
pub(crate) mod stack;
pub mod state_file;
mod token_file;
pub mod tokens;

use rand::RngExt as _;

/// Random letters for passwords and keys of this process's own making: 256 bits as hexadecimal.
fn random_secret() -> String {
    let (high, low): (u128, u128) = rand::rng().random();
    format!("{high:032x}{low:032x}")
}
