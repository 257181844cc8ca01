//! Where tasks run: threads of ours, each task either alone on its thread, with polars' own threads switched off for it, or
//! inside polars' pool. Never on a foreign thread that polars would have to hop from, so cores are not claimed twice.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{OnceLock, Weak};

use partita_local::{Job, Pool, ThreadPool};
use polars_async::executor::ALLOW_RAYON_THREADS;
use polars_core::runtime::THREAD_POOL;

use super::Inner;

thread_local! {
    /// The client whose task this thread runs.
    static HERE: RefCell<Option<Weak<Inner>>> = const { RefCell::new(None) };
}

/// The client whose task the calling thread runs, if it runs one of a client of this process.
pub(super) fn client_here() -> Option<Weak<Inner>> {
    HERE.with_borrow(Clone::clone)
}

/// Does something in place of the thread that runs a task of this client, which then finds the same current client.
pub(super) fn in_place_of<T>(client: Option<Weak<Inner>>, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Weak<Inner>>);
    impl Drop for Before {
        fn drop(&mut self) {
            HERE.set(self.0.take());
        }
    }
    let _before = Before(HERE.replace(client));
    work()
}

/// Tasks inside polars' pool, which is one for the whole process.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// A task may enter polars' pool while this lives.
struct Ticket;

impl Ticket {
    /// One thread stays for what comes from outside: a task may wait inside the pool for another that has yet to get in.
    fn get() -> Option<Self> {
        let inside = INSIDE.fetch_add(1, Relaxed) + 1;
        let ticket = Self;
        (inside < THREAD_POOL.current_num_threads()).then_some(ticket)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Relaxed);
    }
}

/// A thread pool that knows polars.
pub(super) struct PolarsPool {
    threads: ThreadPool,
    /// Whose tasks it runs, so that a task finds the client that runs it. None on a worker of a cluster.
    client: OnceLock<Weak<Inner>>,
}

impl PolarsPool {
    pub fn new(threads: usize) -> Self {
        Self { threads: ThreadPool::new(threads), client: OnceLock::new() }
    }

    /// From now on its tasks find this client.
    pub fn serve(&self, client: Weak<Inner>) {
        let set = self.client.set(client);
        debug_assert!(set.is_ok(), "a pool serves one client");
    }

    fn at_home(&self, task: &mut (dyn FnMut() + Send)) {
        let before = HERE.replace(self.client.get().cloned());
        task();
        HERE.set(before);
    }
}

impl Pool for PolarsPool {
    fn threads(&self) -> usize {
        self.threads.threads()
    }

    fn spawn(&self, job: Job) {
        self.threads.spawn(job);
    }

    fn run_task(&self, alone: bool, task: &mut (dyn FnMut() + Send)) {
        // With one thread there is nothing to nest into, whatever polars' pool has.
        let alone = alone || self.threads() == 1;
        let ticket = if alone { None } else { Ticket::get() };
        if ticket.is_some() {
            THREAD_POOL.install(|| self.at_home(task));
        } else {
            let before = ALLOW_RAYON_THREADS.replace(false);
            self.at_home(task);
            ALLOW_RAYON_THREADS.set(before);
        }
    }
}
