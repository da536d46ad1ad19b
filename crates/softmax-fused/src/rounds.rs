//! Work in rounds: what a round does is seen by the next, and no thread is woken twice.

use rayon::{Scope, ThreadPool};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tasks that may be done in any order, by any thread, each with its number.
pub(crate) struct Round<'w> {
    count: usize,
    work: &'w (dyn Fn(usize) + Sync),
    next: AtomicUsize,
    done: AtomicUsize,
}

impl<'w> Round<'w> {
    pub(crate) fn new(count: usize, work: &'w (dyn Fn(usize) + Sync)) -> Self {
        Round { count, work, next: AtomicUsize::new(0), done: AtomicUsize::new(0) }
    }

    /// Does tasks as long as there are any, and waits for those of the others.
    fn take_part(&self) {
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= self.count {
                break;
            }
            let _done = Done(&self.done);
            (self.work)(task);
        }
        // A round's end is near when its tasks have run out; but whoever has the last one may have lost its processor.
        let mut spins = 0;
        while self.done.load(Ordering::Acquire) < self.count {
            spins += 1;
            if spins < 10_000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// Counts a task as done, even one that panics: the others are not to wait for ever.
struct Done<'r>(&'r AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Does the rounds one after the other on the calling thread and up to `threads` in all of the pool's. The caller begins
/// at once, and whoever is woken in time helps: for a small problem waking takes as long as the work.
pub(crate) fn in_rounds(rounds: &[Round<'_>], threads: usize, pool: Option<&ThreadPool>) {
    let available = pool.map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads);
    let helpers = threads.min(available).saturating_sub(1);
    let work = || rounds.iter().for_each(Round::take_part);
    match pool {
        _ if helpers == 0 => work(),
        Some(pool) => pool.in_place_scope(|scope| with_helpers(scope, helpers, &work)),
        None => rayon::in_place_scope(|scope| with_helpers(scope, helpers, &work)),
    }
}

fn with_helpers<'s>(scope: &Scope<'s>, helpers: usize, work: &'s (impl Fn() + Sync)) {
    (0..helpers).for_each(|_| scope.spawn(|_| work()));
    work();
}
