//! The memory and the threads of this machine.

use crate::values::check_threads_variables;
use anyhow::Context;
use std::error::Error;
use std::fs;

/// The bytes of memory that this program can still allocate, if the system reports them.
pub(crate) fn available_bytes() -> Option<u64> {
    [free_bytes(), unmapped_bytes()].into_iter().flatten().min()
}

fn free_bytes() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// The bytes of address space that a limit on it (`ulimit -v`) still leaves. `None` without a limit.
fn unmapped_bytes() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    // Without a limit this is a word, not a number.
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(limit.saturating_sub(kibibytes("/proc/self/status", "VmSize:")?))
}

/// Reads a line of one of the system's tables, which is in KiB, and returns bytes.
fn kibibytes(table: &str, name: &str) -> Option<u64> {
    let table = fs::read_to_string(table).ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Sets the size of rayon's global pool, in which Burn computes, and returns the number of threads.
///
/// # Errors
/// If the system can't start the threads, if an environment variable requests too many, or if `threads` is given and
/// the pool exists already.
pub(crate) fn set_threads(threads: Option<usize>) -> anyhow::Result<usize> {
    let pool = rayon::ThreadPoolBuilder::new();
    match threads {
        None => {
            check_threads_variables()?;
            // If the pool exists already, the error has no source, and is ignored. Without this call, rayon would panic
            // later if the system can't start the threads.
            match pool.build_global() {
                Err(error) if error.source().is_some() => Err(error).context("threads"),
                _ => Ok(rayon::current_num_threads()),
            }
        }
        Some(threads) => {
            pool.num_threads(threads).build_global().context("threads")?;
            Ok(threads)
        }
    }
}
