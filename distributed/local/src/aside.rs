//! Threads beside the pool, for loops in place of those that wait: the pool's threads may all be waiting.
//!
//! It refuses to know loops and tasks: a job is a closure. Invariants: a job that was taken runs at once, because a thread is idle or is
//! made for it; a thread that has had nothing to do for a while ends, and so do all when nobody can bring jobs any more.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pool::Job;

/// After so long without a job a thread ends.
const IDLE: Duration = Duration::from_secs(5);

/// The threads. They end when it is dropped.
pub(crate) struct Aside(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    bell: Condvar,
    patience: Duration,
}

#[derive(Default)]
struct State {
    /// Jobs for threads that are idle: never more than those.
    jobs: VecDeque<Job>,
    idle: usize,
    closed: bool,
}

impl Default for Aside {
    fn default() -> Self {
        Self::patient(IDLE)
    }
}

impl Aside {
    fn patient(patience: Duration) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), bell: Condvar::new(), patience }))
    }

    /// Runs the job in a thread that is idle, or in a new one. Fails, and the job is dropped, when the system gives no thread.
    pub fn spawn(&self, job: Job) -> io::Result<()> {
        let mut state = self.0.state();
        if state.idle > state.jobs.len() {
            state.jobs.push_back(job);
            drop(state);
            self.0.bell.notify_one();
            return Ok(());
        }
        drop(state);
        let shared = self.0.clone();
        let named = std::thread::Builder::new().name("partita-aside".into());
        named.spawn(move || shared.serve(job)).map(drop)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // The panic hook has printed the panic; the thread is needed for other jobs.
            let _ = catch_unwind(AssertUnwindSafe(job));
            next = self.wait();
        }
    }

    fn wait(&self) -> Option<Job> {
        let mut state = self.state();
        state.idle += 1;
        let mut is_late = false;
        loop {
            let job = state.jobs.pop_front();
            if job.is_some() || state.closed || is_late {
                state.idle -= 1;
                return job;
            }
            let (again, timeout) = self.bell.wait_timeout(state, self.patience).unwrap_or_else(PoisonError::into_inner);
            (state, is_late) = (again, timeout.timed_out());
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::{self, ThreadId};

    fn run(aside: &Aside) -> ThreadId {
        let (sender, receiver) = channel();
        aside.spawn(Box::new(move || sender.send(thread::current().id()).expect("heard"))).expect("a thread");
        receiver.recv().expect("it ran")
    }

    /// Waits until so many threads are idle, and no job waits for one.
    fn until(aside: &Aside, idle: usize) {
        let so = |state: &State| state.idle == idle && state.jobs.is_empty();
        while !so(&aside.0.state()) {
            thread::yield_now();
        }
    }

    #[test]
    fn jobs_run_at_once_and_threads_are_used_again() {
        let aside = Aside::default();
        let (open, gate) = channel::<()>();
        aside.spawn(Box::new(move || assert!(gate.recv().is_err(), "nothing is sent"))).expect("a thread");
        let second = run(&aside);
        until(&aside, 1);
        assert_eq!(run(&aside), second);
        until(&aside, 1);
        drop(open);
        until(&aside, 2);
        aside.spawn(Box::new(|| panic!("on purpose"))).expect("a thread");
        until(&aside, 2);
    }

    #[test]
    fn idle_threads_end() {
        let aside = Aside::patient(Duration::from_millis(1));
        run(&aside);
        until(&aside, 0);
        while Arc::strong_count(&aside.0) > 1 {
            thread::yield_now();
        }
        let patient = Aside::patient(Duration::from_secs(3600));
        run(&patient);
        let shared = Arc::downgrade(&patient.0);
        drop(patient);
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
