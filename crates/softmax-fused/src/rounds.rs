//! Work in rounds: what a round does is seen by the next, and no thread is woken twice.

use crate::kernel::errand::with_help;
use crate::kernel::level::Level;
use rayon::ThreadPool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// Who computes: the threads of a pool, the caller's among them or not, with the vectors of a level.
#[derive(Clone, Copy)]
pub(crate) struct Crew<'p> {
    pub(crate) level: Level,
    /// A pool of its own, or the caller's.
    pool: Option<&'p ThreadPool>,
}

impl<'p> Crew<'p> {
    pub(crate) fn new(level: Level, pool: Option<&'p ThreadPool>) -> Self {
        Crew { level, pool }
    }

    /// How many threads there are.
    pub(crate) fn threads(self) -> usize {
        self.pool.map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads)
    }

    /// Does the rounds one after the other on the calling thread and up to `threads` in all. The caller begins at once, and
    /// whoever is woken in time helps: for a small problem waking takes as long as the work, and a busy pool may have nobody
    /// to wake.
    pub(crate) fn in_rounds(self, rounds: &[Round<'_>], threads: usize) {
        let helpers = threads.min(self.threads()).saturating_sub(1);
        let work = || rounds.iter().for_each(Round::take_part);
        match self.pool {
            Some(pool) => with_help(helpers, |job| pool.spawn(job), &work),
            None => with_help(helpers, rayon::spawn, &work),
        }
    }

    /// Does `work` on each of the items, in no order.
    pub(crate) fn for_each<I: Send>(self, items: impl Iterator<Item = I>, work: impl Fn(usize, I) + Sync) {
        let items: Vec<Mutex<Option<I>>> = items.map(|item| Mutex::new(Some(item))).collect();
        let take = |k: usize| {
            let item = items[k].lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(item) = item {
                work(k, item);
            }
        };
        self.in_rounds(&[Round::new(items.len(), &take)], items.len());
    }
}
