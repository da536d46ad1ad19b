//! The program `softmax`.

#![forbid(unsafe_code)]

use peak_alloc::PeakAlloc;
use std::process::ExitCode;

/// Counts the heap, so that `compare` can report the memory of a call.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    let registry = softmax_cli::Registry::built_in();
    softmax_cli::run(std::env::args_os(), &registry, &mut std::io::stdout().lock(), &mut std::io::stderr())
}
