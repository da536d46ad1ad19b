//! What this runs on.

use crate::values::check_threads_variables;
use anyhow::Context;
use std::error::Error;
use std::fs;

/// Bytes of memory that this program can still have, where the system says so.
pub(crate) fn available_bytes() -> Option<u64> {
    [free_bytes(), unmapped_bytes()].into_iter().flatten().min()
}

fn free_bytes() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// What a limit on the address space (`ulimit -v`) leaves of it.
fn unmapped_bytes() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    // Where there is no limit it is no number.
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(limit.saturating_sub(kibibytes("/proc/self/status", "VmSize:")?))
}

/// A line of one of the system's tables.
fn kibibytes(table: &str, name: &str) -> Option<u64> {
    let table = fs::read_to_string(table).ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Gives rayon's global pool, which Burn computes in, its size, and says how many threads there are.
///
/// # Errors
/// If the system has no such threads, if a variable asks for more than anyone has, or if there is a number of them and the
/// pool is at work already.
pub(crate) fn set_threads(threads: Option<usize>) -> anyhow::Result<usize> {
    let pool = rayon::ThreadPoolBuilder::new();
    match threads {
        None => {
            check_threads_variables()?;
            // What a pool that is there already says has no cause. Not asked here, rayon would panic where it has no
            // threads.
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
