//! One try as it runs here: whether its result is still wanted, who is to be told when it is not, and how long it has waited.
//!
//! It refuses to know tasks and loops. Invariant: whoever listens is told at most once and never under a lock; who comes when it is
//! too late is told at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_graph::TaskProgress;

type Told = Box<dyn FnOnce() + Send>;

/// What the loop, the operator and whoever stops it share.
#[derive(Default)]
pub(crate) struct Signal {
    unwanted: AtomicBool,
    /// Somebody may look at it after the try has ended, so that it serves no other.
    shared: AtomicBool,
    /// Nanoseconds.
    waited: AtomicU64,
    /// How far the operator says that it is.
    progress: TaskProgress,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    last: u64,
    /// In the order in which they came; a task may have many, and they come and go with what it submits.
    list: BTreeMap<u64, Told>,
}

thread_local! {
    /// Signals whose listeners this thread is about to tell.
    static TELLING: RefCell<Option<VecDeque<Arc<Signal>>>> = const { RefCell::new(None) };
}

impl Signal {
    /// Another try begins; nobody may have a handle. Perhaps it is unwanted already.
    pub fn begin(&self, unwanted: bool) {
        self.unwanted.store(unwanted, Relaxed);
        self.waited.store(0, Relaxed);
        self.progress.clear();
    }

    /// What the operator looks at.
    pub fn unwanted(&self) -> &AtomicBool {
        &self.unwanted
    }

    /// What the operator says of how far it is.
    pub fn progress(&self) -> &TaskProgress {
        &self.progress
    }

    /// Nobody wants the result any more. Listeners are told by [`tell`].
    pub fn set(&self) {
        self.unwanted.store(true, Relaxed);
    }

    /// From now on it is of this try alone.
    pub fn share(&self) {
        self.shared.store(true, Relaxed);
    }

    pub fn is_shared(&self) -> bool {
        self.shared.load(Relaxed)
    }

    /// The operator has waited so many nanoseconds more.
    pub fn add_wait(&self, nanos: u64) {
        self.waited.fetch_add(nanos, Relaxed);
    }

    pub fn waited(&self) -> u64 {
        self.waited.load(Relaxed)
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new listener, or nothing when it is told at once.
    fn listen(&self, told: Told) -> Option<u64> {
        let mut listeners = self.listeners();
        // Whoever sets the flag takes the listeners after it, so either they are taken or the flag is seen here.
        if self.unwanted.load(Relaxed) {
            drop(listeners);
            told();
            return None;
        }
        listeners.last += 1;
        let number = listeners.last;
        listeners.list.insert(number, told);
        Some(number)
    }

    fn ignore(&self, number: u64) {
        let told = self.listeners().list.remove(&number);
        // What it keeps may be large, and the lock is free by now.
        drop(told);
    }

    fn tell(&self) {
        let list = std::mem::take(&mut self.listeners().list);
        list.into_values().for_each(|told| told());
    }
}

/// Tells who listens to these signals, which are set. What is told may set others: their turn comes when the first have been
/// told, so that a long chain of tasks that wait for each other needs no long stack.
pub(crate) fn tell(signals: Vec<Arc<Signal>>) {
    if signals.is_empty() {
        return;
    }
    let begun = TELLING.with_borrow_mut(|queue| match queue {
        Some(queue) => {
            queue.extend(signals);
            true
        }
        None => {
            *queue = Some(signals.into());
            false
        }
    });
    if begun {
        return;
    }
    let _ending = Ending;
    while let Some(signal) = TELLING.with_borrow_mut(|queue| queue.as_mut().and_then(VecDeque::pop_front)) {
        signal.tell();
    }
}

/// All have been told, or one of them has panicked.
struct Ending;

impl Drop for Ending {
    fn drop(&mut self) {
        TELLING.set(None);
    }
}

/// Whether somebody still wants the result of the task in which this was made. A handle: clones say the same.
#[derive(Clone)]
pub struct Cancelled(Arc<Signal>);

impl Cancelled {
    pub(crate) fn of(signal: &Arc<Signal>) -> Self {
        signal.share();
        Self(signal.clone())
    }

    /// True once nobody wants it.
    pub fn is_set(&self) -> bool {
        self.0.unwanted.load(Relaxed)
    }

    /// Calls once when that happens, at once if it has: in whatever thread, where it must not block. Not after the task has ended, and
    /// not after what is returned was dropped, unless it is being called just then.
    pub fn on_set(&self, told: impl FnOnce() + Send + 'static) -> OnCancel {
        OnCancel { signal: self.0.clone(), number: self.0.listen(Box::new(told)) }
    }
}

/// Somebody is to be told when a task is cancelled, as long as this lives.
#[must_use = "whoever is to be told is forgotten when this is dropped"]
pub struct OnCancel {
    signal: Arc<Signal>,
    number: Option<u64>,
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.signal.ignore(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn listeners_are_told_once_or_at_once_or_not() {
        let (signal, count) = (Arc::new(Signal::default()), Arc::new(AtomicU32::new(0)));
        let cancelled = Cancelled::of(&signal);
        let counts = |by: u32| {
            let count = count.clone();
            move || {
                count.fetch_add(by, Relaxed);
            }
        };
        let early = cancelled.on_set(counts(1));
        drop(cancelled.on_set(counts(10)));
        assert!(!cancelled.is_set() && signal.is_shared());
        signal.set();
        tell(vec![signal.clone()]);
        tell(vec![signal.clone()]);
        assert!(cancelled.is_set());
        assert_eq!(count.load(Relaxed), 1);
        let late = cancelled.on_set(counts(100));
        assert_eq!(count.load(Relaxed), 101);
        drop((early, late));
    }

    #[test]
    fn a_long_chain_needs_no_long_stack() {
        let signals: Vec<Arc<Signal>> = (0..100_000).map(|_| Arc::default()).collect();
        let mut guards = Vec::new();
        for pair in signals.windows(2) {
            let next = pair[1].clone();
            guards.push(Cancelled::of(&pair[0]).on_set(move || {
                next.set();
                tell(vec![next]);
            }));
        }
        signals[0].set();
        tell(vec![signals[0].clone()]);
        assert!(signals[99_999].unwanted().load(Relaxed));
    }

    #[test]
    fn a_listener_that_panics_leaves_the_thread_usable() {
        let (bad, good) = (Arc::new(Signal::default()), Arc::new(Signal::default()));
        let _panics = Cancelled::of(&bad).on_set(|| panic!("on purpose"));
        bad.set();
        let tells = std::panic::AssertUnwindSafe(|| tell(vec![bad.clone()]));
        assert!(std::panic::catch_unwind(tells).is_err());
        let heard = Arc::new(AtomicBool::new(false));
        let hears = heard.clone();
        let _hears = Cancelled::of(&good).on_set(move || hears.store(true, Relaxed));
        good.set();
        tell(vec![good.clone()]);
        assert!(heard.load(Relaxed));
    }
}
