//! Checks what the compiler does not: arrows between crates, circles between modules, sizes, module
//! docs, the language of the prose, and what must not be in the project. Each failure names the file
//! and the line.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read the project fails there"
)]

mod arrows;
mod circles;
mod documents;
mod files;
mod language;
mod rules;
mod sizes;
mod source;
mod supply;
