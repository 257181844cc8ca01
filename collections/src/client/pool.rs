//! Where tasks run: threads of ours, each task either alone on its thread, with polars' own threads switched off for it, or
//! inside polars' pool. Never on a foreign thread that polars would have to hop from, so cores are not claimed twice.

use partita_local::{Job, Pool, ThreadPool};
use polars_async::executor::ALLOW_RAYON_THREADS;
use polars_core::runtime::THREAD_POOL;

/// A thread pool that knows polars.
pub(super) struct PolarsPool(ThreadPool);

impl PolarsPool {
    pub fn new(threads: usize) -> Self {
        Self(ThreadPool::new(threads))
    }
}

impl Pool for PolarsPool {
    fn threads(&self) -> usize {
        self.0.threads()
    }

    fn spawn(&self, job: Job) {
        self.0.spawn(job);
    }

    fn run_task(&self, alone: bool, task: &mut (dyn FnMut() + Send)) {
        // With one thread there is nothing to nest into, whatever polars' pool has.
        if alone || self.threads() == 1 {
            let before = ALLOW_RAYON_THREADS.replace(false);
            task();
            ALLOW_RAYON_THREADS.set(before);
        } else {
            THREAD_POOL.install(task);
        }
    }
}
