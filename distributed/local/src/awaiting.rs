//! Awaiting inside a task: an asynchronous task whose future waits for what may need the slot gives it up, as [`crate::while_waiting`] does
//! for one that blocks, and one that nobody wants any more ends at its next await.
//!
//! It refuses to know runtimes: whoever polls, polls in the thread of the task. Invariants: the slot is given up only while the future is not
//! polled, and is back before it is polled again; outside of a task nothing is different from plain polling.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::task::Poll;

use partita_graph::{Code, Failure};

use crate::signal::{Cancelled, OnCancel};
use crate::waiting::{Away, current_cancelled, leave};

thread_local! {
    /// What is being polled in this thread waits for something that may need the slot.
    static AWAITS: Cell<bool> = const { Cell::new(false) };
}

/// Says, from within a future that is about to return `Pending`, that it waits for other tasks or for what other tasks hold.
pub fn awaits_inside() {
    AWAITS.set(true);
}

/// The future as a task polls it: while it waits for something of which [`awaits_inside`] was said, the task's slot is another's.
///
/// Its output is a failure when the task is cancelled ([`Code::Cancelled`]), and when as many tasks wait as may
/// ([`Code::TooManyWaiting`]); then the future is dropped where it stands.
///
/// ```
/// let soon = partita_local::driven_inside(async { 7 });
/// # let mut soon = std::pin::pin!(soon);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert_eq!(std::future::Future::poll(soon.as_mut(), &mut context), std::task::Poll::Ready(Ok(7)));
/// ```
pub fn driven_inside<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Failure>> {
    let mut future = Box::pin(future);
    let mut away: Option<Away> = None;
    // Looked for once something is waited for: most futures never do.
    let mut task: Option<(Cancelled, OnCancel)> = None;
    poll_fn(move |context| {
        drop(away.take());
        if task.as_ref().is_some_and(|(cancelled, _)| cancelled.is_set()) {
            return Poll::Ready(Err(given_up()));
        }
        AWAITS.set(false);
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        let awaits = AWAITS.replace(false);
        if task.is_none() {
            let waker = context.waker().clone();
            task = current_cancelled().map(|cancelled| (cancelled.clone(), cancelled.on_set(move || waker.wake())));
        }
        if task.as_ref().is_some_and(|(cancelled, _)| cancelled.is_set()) {
            return Poll::Ready(Err(given_up()));
        }
        if awaits {
            match leave() {
                Ok(left) => away = left,
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
        Poll::Pending
    })
}

fn given_up() -> Failure {
    Failure::new(Code::Cancelled, "the task was cancelled while it awaited something")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[test]
    fn outside_of_a_task_it_is_the_future_itself() {
        let mut polls = 0;
        let future = driven_inside(poll_fn(|_| {
            polls += 1;
            awaits_inside();
            if polls < 3 { Poll::Pending } else { Poll::Ready(polls) }
        }));
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(Ok(3)));
    }
}
