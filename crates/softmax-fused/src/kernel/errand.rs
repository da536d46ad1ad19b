//! Lets other threads call a borrowed closure, but only while the caller is running it too: the caller never waits for
//! a thread that has not started. `rayon::scope` waits for every spawned job, even while the workers of the pool are
//! busy with other work.
#![allow(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bit of [`Errand::state`] that is set when the caller has finished. The other bits count the threads inside the
/// closure.
const OVER: usize = 1;
const ONE: usize = 2;

/// State shared by the caller and its helpers.
struct Errand {
    work: *const (dyn Fn() + Sync),
    state: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `work` refers to a `Sync` closure, which any thread may call under the conditions in `help`.
unsafe impl Send for Errand {}
// SAFETY: see `Send` for `work`; the other fields are `Sync`.
unsafe impl Sync for Errand {}

impl Errand {
    /// Calls the closure, unless the caller has finished.
    fn help(&self) {
        if self.state.fetch_add(ONE, Ordering::Acquire) & OVER == 0 {
            // SAFETY: the closure lives until `with_help` returns. Before that, `Ending` sets OVER and then waits until
            // no thread is inside. This thread entered before OVER was set, and stays inside until it subtracts ONE
            // below.
            let work = unsafe { &*self.work };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
        }
        self.state.fetch_sub(ONE, Ordering::Release);
    }
}

/// Ends an errand, even if the caller's own call panics.
struct Ending<'e>(&'e Errand);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_or(OVER, Ordering::AcqRel);
        // A thread inside is usually about to finish, so the wait spins first; but it may have lost its processor, so
        // the wait yields later.
        let mut spins = 0;
        while self.0.state.load(Ordering::Acquire) != OVER {
            spins += 1;
            if spins < 10_000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// Calls `work` on this thread and on up to `helpers` more, which `spawn` starts with one job each. Returns when every
/// call that started has ended. A job that starts later does nothing.
///
/// # Panics
/// If `work` panics, on any thread.
pub(crate) fn with_help(helpers: usize, spawn: impl Fn(Box<dyn FnOnce() + Send>), work: &(dyn Fn() + Sync)) {
    if helpers == 0 {
        return work();
    }
    // SAFETY: only the lifetime changes. `help` states why the closure outlives every call.
    let unbounded: &'static (dyn Fn() + Sync) = unsafe { std::mem::transmute(work) };
    let errand = Arc::new(Errand { work: unbounded, state: AtomicUsize::new(0), panic: Mutex::new(None) });
    {
        let _ending = Ending(&errand);
        for _ in 0..helpers {
            let errand = Arc::clone(&errand);
            spawn(Box::new(move || errand.help()));
        }
        work();
    }
    let panic = errand.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn the_caller_computes_tasks_that_no_helper_began() {
        let calls = AtomicUsize::new(0);
        let jobs = Mutex::new(Vec::new());
        with_help(3, |job| jobs.lock().unwrap().push(job), &|| {
            calls.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        // These jobs start after the end: they must not call the closure.
        jobs.into_inner().unwrap().into_iter().for_each(|job| job());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_caller_waits_for_helpers_that_have_begun() {
        for _ in 0..200 {
            let (begun, has_begun) = mpsc::channel();
            let has_begun = Mutex::new(has_begun);
            let ended = AtomicUsize::new(0);
            let caller = thread::current().id();
            let spawn = |job: Box<dyn FnOnce() + Send>| drop(thread::spawn(job));
            with_help(1, spawn, &|| {
                if thread::current().id() == caller {
                    has_begun.lock().unwrap().recv().unwrap();
                } else {
                    begun.send(()).unwrap();
                    thread::yield_now();
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(ended.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn a_helper_s_panic_is_the_caller_s() {
        let caller = thread::current().id();
        let (begun, has_begun) = mpsc::channel();
        let has_begun = Mutex::new(has_begun);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            with_help(1, |job| drop(thread::spawn(job)), &|| {
                if thread::current().id() == caller {
                    has_begun.lock().unwrap().recv().unwrap();
                } else {
                    begun.send(()).unwrap();
                    panic!("of a helper");
                }
            });
        }));
        assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"of a helper"));
    }
}
