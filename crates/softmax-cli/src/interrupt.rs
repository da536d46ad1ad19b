//! Ctrl-C: the first asks for an end at the next good place, so that what was measured is printed; the second ends.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// What a shell says of a program that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

/// From now on the first Ctrl-C is a request.
pub(crate) fn listen() {
    let handler = || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_CODE));
        }
    };
    // Refused where there is a handler already, which is this one, or where there are no signals.
    let _ = ctrlc::set_handler(handler);
}

/// Whether an end was asked for.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
