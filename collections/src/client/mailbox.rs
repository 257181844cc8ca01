//! Where things come in from other threads for one reader, who blocks, polls or looks.
//!
//! It refuses to know what comes. Invariants: things are read in the order in which they came; a reader that waits inside a task gives the
//! task's slot up, and is woken when nobody wants the task any more.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_channel::oneshot;
use partita_graph::Failure;

/// A mailbox. Clones are the same one.
pub(crate) struct Mailbox<T> {
    inner: Arc<Inner<T>>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<T> {
    state: Mutex<State<T>>,
    bell: Condvar,
}

struct State<T> {
    things: VecDeque<T>,
    closed: bool,
    waker: Option<Waker>,
}

/// What waiting gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// The next thing.
    Came(T),
    /// Nothing came in time.
    Late,
    /// Nothing will come any more.
    Closed,
}

impl<T> Inner<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes it, and wakes whoever reads.
    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        let mut state = self.state();
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        self.bell.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> State<T> {
    fn next(&mut self) -> Option<Next<T>> {
        match self.things.pop_front() {
            Some(thing) => Some(Next::Came(thing)),
            None => self.closed.then_some(Next::Closed),
        }
    }
}

impl<T> Mailbox<T> {
    pub fn new() -> Self {
        let state = State { things: VecDeque::new(), closed: false, waker: None };
        Self { inner: Arc::new(Inner { state: Mutex::new(state), bell: Condvar::new() }) }
    }

    /// Something comes. Never waits.
    pub fn put(&self, thing: T) {
        self.inner.change(|state| state.things.push_back(thing));
    }

    /// The same where at most so many things wait: the oldest make room, and are counted before a later one can be read.
    pub fn put_within(&self, thing: T, most: usize, missed: &AtomicU64) {
        let mut dropped = Vec::new();
        self.inner.change(|state| {
            while state.things.len() >= most.max(1) {
                dropped.extend(state.things.pop_front());
            }
            missed.fetch_add(dropped.len() as u64, Ordering::Relaxed);
            state.things.push_back(thing);
        });
    }

    /// Nothing will come any more; what is there can be read.
    pub fn close(&self) {
        self.inner.change(|state| state.closed = true);
    }

    /// The next thing, waking the future that polls when there is none.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Next<T>> {
        let mut state = self.inner.state();
        if let Some(next) = state.next() {
            return Poll::Ready(next);
        }
        state.waker = Some(context.waker().clone());
        partita_local::awaits_inside();
        Poll::Pending
    }
}

impl<T: Send + 'static> Mailbox<T> {
    /// Waits for the next thing, but not after `until`.
    ///
    /// # Errors
    /// Inside a task that nobody wants any more, or that may not wait.
    pub fn wait(&self, until: Option<Instant>) -> Result<Next<T>, Failure> {
        if let Some(next) = self.inner.state().next() {
            return Ok(next);
        }
        let rung = self.inner.clone();
        partita_local::wait_inside(move || rung.change(|_| {}), |given_up| self.wait_here(until, given_up))
    }

    fn wait_here(&self, until: Option<Instant>, given_up: &dyn Fn() -> bool) -> Option<Next<T>> {
        let mut state = self.inner.state();
        loop {
            if let Some(next) = state.next() {
                return Some(next);
            }
            if given_up() {
                return None;
            }
            let Some(until) = until else {
                state = self.inner.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(Next::Late);
            }
            state = self.inner.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same where there is no place for a failure: inside a task it is the task's.
    pub fn wait_or_end(&self, until: Option<Instant>) -> Next<T> {
        self.wait(until).unwrap_or_else(|failure| resume_unwind(Box::new(failure)))
    }
}

/// What is told once to a future that awaits it. Inside a task the slot is given up meanwhile.
///
/// # Errors
/// Nobody will tell it any more.
pub(crate) async fn heard<T>(mut told: oneshot::Receiver<T>) -> Result<T, oneshot::Canceled> {
    poll_fn(|context| {
        let polled = Pin::new(&mut told).poll(context);
        if polled.is_pending() {
            partita_local::awaits_inside();
        }
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn things_come_in_order_and_then_nothing() {
        let mailbox = Mailbox::new();
        let sender = mailbox.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                (0..3).for_each(|thing| sender.put(thing));
                sender.close();
            });
            for thing in 0..3 {
                assert_eq!(mailbox.wait(None).expect("outside of a task"), Next::Came(thing));
            }
            assert_eq!(mailbox.wait(None).expect("outside of a task"), Next::Closed);
        });
    }

    #[test]
    fn the_oldest_make_room() {
        let mailbox = Mailbox::new();
        let missed = AtomicU64::new(0);
        (0..5).for_each(|thing| mailbox.put_within(thing, 3, &missed));
        assert_eq!(missed.load(Ordering::Relaxed), 2);
        mailbox.put_within(5, 2, &missed);
        assert_eq!(missed.load(Ordering::Relaxed), 4);
        mailbox.close();
        let rest: Vec<_> = (0..3).map(|_| mailbox.wait(None).expect("outside of a task")).collect();
        assert_eq!(rest, [Next::Came(4), Next::Came(5), Next::Closed]);
    }

    #[test]
    fn nothing_in_time_is_late_and_polling_is_woken() {
        let mailbox = Mailbox::<i32>::new();
        let soon = Instant::now() + Duration::from_millis(2);
        assert_eq!(mailbox.wait(Some(soon)).expect("outside of a task"), Next::Late);
        let mut context = Context::from_waker(Waker::noop());
        assert!(mailbox.poll(&mut context).is_pending());
        mailbox.put(7);
        assert_eq!(mailbox.poll(&mut context), Poll::Ready(Next::Came(7)));
    }
}
