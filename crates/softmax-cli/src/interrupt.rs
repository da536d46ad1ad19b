//! Ctrl-C, and SIGTERM and SIGHUP on systems that have them. The first signal requests a stop at the next suitable
//! point, so that the results so far are printed. The second ends the program. Both remove temporary files.

use softmax_data::discard_unfinished;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The exit code of an interrupted program, as shells report it.
pub(crate) const EXIT_CODE: u8 = 130;

/// From now on the first Ctrl-C requests a stop, and the second ends the program.
pub(crate) fn listen() {
    handle(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            end();
        }
        // An external process may take minutes to answer, so the call to it is ended.
        softmax_external::end_calls();
    });
}

/// From now on the first Ctrl-C ends the program, and removes temporary files.
pub(crate) fn end_cleanly() {
    handle(end);
}

/// Whether a stop was requested.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

fn end() {
    discard_unfinished();
    softmax_external::end_all();
    std::process::exit(i32::from(EXIT_CODE));
}

fn handle(handler: impl FnMut() + Send + 'static) {
    // All three signals share one handler. Under `nohup` SIGHUP must stay ignored, so no handler is set.
    if !is_hangup_ignored() {
        // Fails if a handler of this module is already set, or if the system has no signals.
        let _ = ctrlc::set_handler(handler);
    }
}

/// Whether SIGHUP is ignored, on Linux: it is the lowest bit in the mask of ignored signals.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
