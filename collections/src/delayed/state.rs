//! What a worker's process keeps between tasks: models, connections, caches, built once on first use, and taken down with the worker.
//!
//! It refuses to know what is kept. Invariants: at most one value is built at a time, however many tasks want it; a failed build is
//! told to whoever waited and tried again by the next; what was built is taken down once, the last first, and built again when it is
//! wanted after that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use partita_graph::Failure;

/// A value of a process; `#[worker_state]` makes one for each function that it stands on.
pub struct StateCell<T> {
    value: RwLock<Option<Arc<T>>>,
    building: Mutex<()>,
}

impl<T: Send + Sync + 'static> StateCell<T> {
    /// Nothing is built yet.
    pub const fn new() -> Self {
        Self { value: RwLock::new(None), building: Mutex::new(()) }
    }

    /// The value, built now if this is the first time. When the worker ends, `teardown` is called with it; then it is dropped as soon as no
    /// task has it any more.
    ///
    /// # Errors
    /// The build's own, with the state's name.
    pub fn get(
        &'static self,
        name: &'static str,
        build: impl FnOnce() -> Result<T, Failure>,
        teardown: Option<fn(&T)>,
    ) -> Result<Arc<T>, Failure> {
        self.of(&HERE, name, build, teardown)
    }

    fn of(
        &'static self,
        process: &Process,
        name: &'static str,
        build: impl FnOnce() -> Result<T, Failure>,
        teardown: Option<fn(&T)>,
    ) -> Result<Arc<T>, Failure> {
        if let Some(value) = self.built() {
            return Ok(value);
        }
        // A build that panicked has built nothing.
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.built() {
            return Ok(value);
        }
        let value = Arc::new(build().map_err(|failure| failure.detail("worker state", name))?);
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
        process.built.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(move || self.end(name, teardown)));
        Ok(value)
    }

    fn built(&self) -> Option<Arc<T>> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&self, name: &str, teardown: Option<fn(&T)>) {
        let Some(value) = self.value.write().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if let Some(teardown) = teardown {
                teardown(&value);
            }
            drop(value);
        }));
        if ended.is_err() {
            eprintln!("warning: worker state {name} panicked while it was taken down");
        }
    }
}

impl<T: Send + Sync + 'static> Default for StateCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

type End = Box<dyn FnOnce() + Send>;

/// Who uses states in a process, and what takes them down.
struct Process {
    /// In the order in which they were built.
    built: Mutex<Vec<End>>,
    /// Engines whose tasks may use states.
    users: AtomicUsize,
}

/// This one.
static HERE: Process = Process::new();

impl Process {
    const fn new() -> Self {
        Self { built: Mutex::new(Vec::new()), users: AtomicUsize::new(0) }
    }

    fn user(&'static self) -> User {
        self.users.fetch_add(1, Ordering::Relaxed);
        User(self)
    }

    /// The last first, because it may use what was built before it.
    fn take_down(&self) {
        loop {
            // One state may build another while it is taken down.
            let Some(end) = self.built.lock().unwrap_or_else(PoisonError::into_inner).pop() else { return };
            end();
        }
    }
}

/// An engine of a process whose tasks may use its states; with the last of them they are taken down.
pub(crate) struct User(&'static Process);

impl User {
    /// Of this process.
    pub fn new() -> Self {
        HERE.user()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if self.0.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.take_down();
        }
    }
}

/// Takes down what was built in this process, whoever uses it: it is about to end.
#[cfg(feature = "cluster")]
pub(crate) fn take_down() {
    HERE.take_down();
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::Code;

    /// Other tests of this process have clients, which come and go.
    static APART: Process = Process::new();

    static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());

    fn log(word: &'static str) {
        LOG.lock().expect("no panic").push(word);
    }

    struct Noted(&'static str);

    impl Drop for Noted {
        fn drop(&mut self) {
            log(self.0);
        }
    }

    #[test]
    fn a_state_is_built_once_and_taken_down_with_the_last_user() {
        static CELL: StateCell<u32> = StateCell::new();
        static BUILDS: AtomicUsize = AtomicUsize::new(0);
        let failed = CELL.of(&APART, "number", || Err(Failure::new(Code::UserFunction, "not yet")), None).expect_err("it failed");
        assert!(failed.to_string().contains("number"), "{failed}");
        let build = || {
            BUILDS.fetch_add(1, Ordering::Relaxed);
            Ok(7)
        };
        let users = (APART.user(), APART.user());
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(move || CELL.of(&APART, "number", build, None).map(|value| *value))).collect();
            all.into_iter().for_each(|one| assert_eq!(one.join().expect("no panic").expect("built"), 7));
        });
        assert_eq!(BUILDS.load(Ordering::Relaxed), 1);

        static FIRST: StateCell<Noted> = StateCell::new();
        static SECOND: StateCell<Noted> = StateCell::new();
        static THIRD: StateCell<Noted> = StateCell::new();
        FIRST.of(&APART, "first", || Ok(Noted("first is dropped")), None).expect("built");
        SECOND.of(&APART, "second", || Ok(Noted("second is dropped")), Some(|_| log("second ends"))).expect("built");
        THIRD.of(&APART, "third", || Ok(Noted("third is dropped")), Some(|_| panic!("on purpose"))).expect("built");
        let held = SECOND.of(&APART, "second", || Err(Failure::internal("it is there")), None).expect("built before");
        drop(users.0);
        assert!(LOG.lock().expect("no panic").is_empty(), "there is another user");
        drop(users.1);
        assert_eq!(*LOG.lock().expect("no panic"), ["third is dropped", "second ends", "first is dropped"]);
        drop(held);
        assert_eq!(LOG.lock().expect("no panic").last(), Some(&"second is dropped"), "with the last who has it");
        assert_eq!(CELL.of(&APART, "number", build, None).map(|value| *value).expect("built"), 7);
        assert_eq!(BUILDS.load(Ordering::Relaxed), 2, "it is built again for who comes later");
        APART.take_down();
    }
}
