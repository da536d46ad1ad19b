//! What this runs on.

/// Bytes of memory that a program can still have, where the system says so.
pub(crate) fn available_bytes() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Gives rayon's global pool, which Burn computes in, its size, and says how many threads there are.
///
/// # Errors
/// If the pool is at work already.
pub(crate) fn set_threads(threads: Option<usize>) -> anyhow::Result<usize> {
    match threads {
        None => Ok(rayon::current_num_threads()),
        Some(threads) => {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
            Ok(threads)
        }
    }
}
