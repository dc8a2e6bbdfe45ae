//! All parts in one process, as `tidemark up` runs them.
//!
//! - [`postgres`]: a private Postgres that stops with this process.
//! - [`tokens`]: development tokens.
//! - `token_file`: keeps the tokens in `up.json` current.
//! - `fixed_keys`: the keys that it sets itself.
//! - `stack`: starts and stops all parts in order.

pub(crate) mod fixed_keys;
pub mod postgres;
pub(crate) mod stack;
mod token_file;
pub mod tokens;

use rand::RngExt as _;

/// Returns a random password or key: 256 bits as hexadecimal digits.
fn random_secret() -> String {
    let (high, low): (u128, u128) = rand::rng().random();
    format!("{high:032x}{low:032x}")
}
