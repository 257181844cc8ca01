//! Where tasks run: the one trait that a thread pool implements, and a plain pool for programs without another.
//!
//! It refuses to know tasks and machines: a job is a closure. Invariant of [`ThreadPool`]: a job that was accepted runs
//! exactly once, and a job that panics ends neither its thread nor the pool.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A job for a pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// A thread pool in which tasks run. Tasks that use nested parallelism must use it in this same pool, so that cores are
/// never claimed twice. A pool serves one executor: tasks that wait inside keep its threads, and only that executor knows of it.
pub trait Pool: Send + Sync + 'static {
    /// How many threads it has.
    fn threads(&self) -> usize;

    /// Runs the job on one of its threads, soon; never in the calling thread.
    fn spawn(&self, job: Job);

    /// Called around each task, on a thread of the pool, or beside it while others wait inside. `alone` says that enough other tasks
    /// are ready to fill the cores, so the task should not use nested parallelism. Must call `task` exactly once. A task may wait in
    /// there for other tasks, so whoever runs it in threads that are for nested parallelism must keep one of them free.
    fn run_task(&self, alone: bool, task: &mut (dyn FnMut() + Send)) {
        let _ = alone;
        task();
    }
}

/// A fixed number of threads and one queue. Its threads end when it is dropped and the queue is empty.
pub struct ThreadPool {
    shared: Arc<Shared>,
    threads: usize,
}

struct Shared {
    jobs: Mutex<Jobs>,
    bell: Condvar,
}

#[derive(Default)]
struct Jobs {
    queue: VecDeque<Job>,
    closed: bool,
}

impl ThreadPool {
    /// A pool of that many threads, at least one.
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let shared = Arc::new(Shared { jobs: Mutex::default(), bell: Condvar::new() });
        for at in 0..threads {
            let shared = shared.clone();
            let named = std::thread::Builder::new().name(format!("partita-{at}"));
            named.spawn(move || shared.serve()).expect("the system gives a thread");
        }
        Self { shared, threads }
    }
}

impl Shared {
    fn serve(&self) {
        loop {
            let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let job = loop {
                match jobs.queue.pop_front() {
                    Some(job) => break job,
                    None if jobs.closed => return,
                    None => jobs = self.bell.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(jobs);
            // The panic hook has printed the panic; the thread is needed for other jobs.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

impl Pool for ThreadPool {
    fn threads(&self) -> usize {
        self.threads
    }

    fn spawn(&self, job: Job) {
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).queue.push_back(job);
        self.shared.bell.notify_one();
    }
}

impl Drop for ThreadPool {
    /// Threads are not joined: the last handle may be dropped on one of them.
    fn drop(&mut self) {
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.bell.notify_all();
    }
}
