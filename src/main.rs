//! The `tidemark` command.

use std::process::ExitCode;

/// Folding and decoding make and free small things all the time, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidemark::run(std::env::args_os())
}
