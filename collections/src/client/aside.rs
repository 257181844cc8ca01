//! Threads that wait for something while whoever asked for it goes on: results are brought from other processes and disks, and schedulers are
//! asked what a plan may count on, while the thread of a user's runtime serves others.
//!
//! It refuses to know what they wait for. Invariant: what is asked for is done, by one of a few threads, or by the one that asks where there are
//! none to be had; and it finds the current client that the one that asks would find.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;
use partita_graph::Failure;

use super::mailbox::heard;
use super::pool;

/// As many things are done at a time; others wait for these.
const MOST: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// What is to be done, and how many threads do it. A thread lives for as long as there is something to do.
static JOBS: Mutex<(VecDeque<Job>, usize)> = Mutex::new((VecDeque::new(), 0));

fn jobs() -> MutexGuard<'static, (VecDeque<Job>, usize)> {
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes of something that blocks, in another thread than the one that awaits it.
///
/// # Errors
/// Its own; it panicked.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let (sender, receiver) = oneshot::channel();
    let client = pool::client_here();
    // Nobody listens any more when the future was dropped.
    hand_over(move || drop(sender.send(pool::in_place_of(client, work))));
    heard(receiver).await.unwrap_or_else(|_| Err(Failure::internal("planning or reading a result panicked; the panic is printed above")))
}

/// Has it done without waiting for it.
fn hand_over(job: impl FnOnce() + Send + 'static) {
    let mut state = jobs();
    state.0.push_back(Box::new(job));
    if state.1 == MOST {
        return;
    }
    state.1 += 1;
    drop(state);
    if std::thread::Builder::new().name("partita-aside".into()).spawn(work).is_err() {
        work();
    }
}

fn work() {
    loop {
        let mut state = jobs();
        let Some(job) = state.0.pop_front() else {
            state.1 -= 1;
            return;
        };
        drop(state);
        // Whoever waits for it hears that it will not come; the next one is not to suffer.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn all_is_done_by_few_threads_whatever_panics() {
        let (done, results) = mpsc::channel();
        let (hold, held) = (mpsc::channel::<()>(), mpsc::channel());
        let gate = std::sync::Arc::new(Mutex::new(hold.1));
        for number in 0..100 {
            let (done, entered, gate) = (done.clone(), held.0.clone(), gate.clone());
            hand_over(move || {
                entered.send(()).expect("the test listens");
                // Ends when the test opens the gate.
                let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
                assert!(number != 7, "one of them panics");
                done.send(number).expect("the test listens");
            });
        }
        (0..MOST).for_each(|_| held.1.recv().expect("as many begin as there are threads"));
        assert!(held.1.try_recv().is_err(), "and no more");
        drop((hold.0, done));
        let mut all: Vec<i32> = results.iter().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq((0..100).filter(|number| *number != 7)));
    }
}
