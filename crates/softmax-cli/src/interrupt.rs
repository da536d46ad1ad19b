//! Ctrl-C, and SIGTERM and SIGHUP where there are such: the first asks for an end at the next good place, so that what was
//! measured is printed; the second ends. No end leaves a temporary file.

use softmax_data::discard_unfinished;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// What a shell says of a program that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

/// From now on the first Ctrl-C is a request.
pub(crate) fn listen() {
    handle(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            end();
        }
        // Nobody is to wait for a process that may take minutes.
        softmax_external::end_calls();
    });
}

/// From now on the first Ctrl-C ends, as it would in any case, and leaves nothing half written.
pub(crate) fn end_cleanly() {
    handle(end);
}

/// Whether an end was requested.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

fn end() {
    discard_unfinished();
    softmax_external::end_all();
    std::process::exit(i32::from(EXIT_CODE));
}

fn handle(handler: impl FnMut() + Send + 'static) {
    // All three have one handler, and under `nohup` a hangup is to mean nothing.
    if !is_hangup_ignored() {
        // Refused where there is a handler already, which is this one, or where there are no signals.
        let _ = ctrlc::set_handler(handler);
    }
}

/// As Linux tells it: a mask of the signals that are ignored, in which SIGHUP is the first.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
