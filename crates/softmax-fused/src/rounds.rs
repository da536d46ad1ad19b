//! Rounds of tasks: a round sees all results of the round before, and each thread is woken only once per call.

use crate::kernel::errand::with_help;
use crate::kernel::level::Level;
use rayon::ThreadPool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A set of numbered tasks, which any thread may run in any order.
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

    /// Runs tasks until none is left, then waits for those of the other threads.
    fn take_part(&self) {
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= self.count {
                break;
            }
            let _done = Done(&self.done);
            (self.work)(task);
        }
        // The wait is usually short, so it spins first; but the thread with the last task may have lost its processor,
        // so it yields later.
        let mut spins = 0;
        while self.done.load(Ordering::Acquire) < self.count {
            spins += 1;
            if spins < 10_000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// Counts a task as done even if it panics, so that the other threads do not wait forever.
struct Done<'r>(&'r AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// The threads of a call (a pool, which may include the caller's thread) and the instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Crew<'p> {
    pub(crate) level: Level,
    /// The backend's own pool. `None` means the caller's.
    pool: Option<&'p ThreadPool>,
}

impl<'p> Crew<'p> {
    pub(crate) fn new(level: Level, pool: Option<&'p ThreadPool>) -> Self {
        Crew { level, pool }
    }

    /// Number of threads in the pool.
    pub(crate) fn threads(self) -> usize {
        self.pool.map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads)
    }

    /// Runs the rounds in order, on the calling thread and up to `threads` threads in all. The caller starts at once
    /// and other threads join when they wake: for a small problem waking takes as long as the work, and in a busy pool
    /// no thread may be free.
    pub(crate) fn in_rounds(self, rounds: &[Round<'_>], threads: usize) {
        let helpers = threads.min(self.threads()).saturating_sub(1);
        let work = || rounds.iter().for_each(Round::take_part);
        match self.pool {
            Some(pool) => with_help(helpers, |job| pool.spawn(job), &work),
            None => with_help(helpers, rayon::spawn, &work),
        }
    }

    /// Calls `work` for each item, in any order.
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
