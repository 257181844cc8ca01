//! What a worker's process keeps between tasks: models, connections, caches, built once on first use, and taken down with the worker.
//!
//! It refuses to know what is kept. Invariants: at most one value is built at a time, however many tasks want it; a failed build is
//! told to whoever waited and tried again by the next; what was built is taken down once, the last first, and built again when it is
//! wanted after that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use partita_graph::Failure;

/// How long tasks that have a value may go on before it is taken down under their hands, and how often it is looked whether they have ended.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(1);

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

    /// The value, built now if this is the first time. When the worker ends, `teardown` is called with it, once nobody else has it any more
    /// or after a second; then it is dropped as soon as nobody has it.
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
        let _building = lock_inside(&self.building)?;
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
                await_users(&value);
                teardown(&value);
            }
            drop(value);
        }));
        if ended.is_err() {
            eprintln!("warning: worker state {name} panicked while it was taken down");
        }
    }
}

/// Engines do not wait for their tasks: one that nobody wants any more may still use the value.
fn await_users<T>(value: &Arc<T>) {
    let until = Instant::now() + PATIENCE;
    while Arc::strong_count(value) > 1 && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
}

impl<T: Send + Sync + 'static> Default for StateCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Locks what may be locked by somebody who waits for tasks: inside a task its slot is given up meanwhile, because they may need it.
pub(super) fn lock_inside<T>(mutex: &Mutex<T>) -> Result<std::sync::MutexGuard<'_, T>, Failure> {
    match mutex.try_lock() {
        Ok(guard) => Ok(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => {
            partita_local::try_while_waiting(|| mutex.lock().unwrap_or_else(PoisonError::into_inner))
        }
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

    /// The last first, because it may use what was built before it, until somebody uses them again.
    fn take_down(&self, used_again: impl Fn() -> bool) {
        loop {
            // One state may build another while it is taken down.
            let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
            // Looked at under the lock: what a new user has built by now is not taken from it.
            let Some(end) = (if used_again() { None } else { built.pop() }) else { return };
            drop(built);
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
            self.0.take_down(|| self.0.users.load(Ordering::Acquire) > 0);
        }
    }
}

/// Takes down what was built in this process, whoever uses it: it is about to end.
#[cfg(feature = "cluster")]
pub(crate) fn take_down() {
    HERE.take_down(|| false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::delayed::delayed_fn;
    use partita_graph::Code;
    use std::sync::mpsc;

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
    fn who_waits_for_a_build_keeps_no_thread_from_it() {
        static ALONE: Process = Process::new();
        static CELL: StateCell<u32> = StateCell::new();
        let client = Client::builder().threads(1).set_as_default(false).build().expect("a local engine starts");
        let (go, gate) = mpsc::channel::<()>();
        let (go, gate) = (Mutex::new(go), Mutex::new(gate));
        let build = move || match partita_local::while_waiting(|| gate.lock().expect("no panic").recv()) {
            Ok(()) => Ok(7),
            Err(_) => Err(Failure::internal("nobody comes")),
        };
        let builds = delayed_fn(move || CELL.of(&ALONE, "slow", &build, None).map(|value| *value));
        let waits = delayed_fn(|| CELL.of(&ALONE, "slow", || Ok(8), None).map(|value| *value));
        let comes = delayed_fn(move || Ok(go.lock().expect("no panic").send(()).is_ok()));
        let (builds, waits) = (client.start(&builds).expect("sound"), client.start(&waits).expect("sound"));
        let comes = client.start(&comes).expect("sound");
        assert_eq!((builds.result().expect("built"), waits.result().expect("built before")), (7, 7));
        assert!(comes.result().expect("it has a thread"));
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
        APART.take_down(|| false);
    }

    #[test]
    fn a_state_is_taken_down_when_no_task_has_it() {
        static ALONE: Process = Process::new();
        static CELL: StateCell<AtomicUsize> = StateCell::new();
        static SEEN: AtomicUsize = AtomicUsize::new(9);
        let user = ALONE.user();
        let teardown = |users: &AtomicUsize| SEEN.store(users.load(Ordering::Relaxed), Ordering::Relaxed);
        let held = CELL.of(&ALONE, "used", || Ok(AtomicUsize::new(1)), Some(teardown)).expect("built");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while CELL.built().is_some() {
                    std::thread::yield_now();
                }
                held.store(0, Ordering::Relaxed);
            });
            drop(user);
        });
        assert_eq!(SEEN.load(Ordering::Relaxed), 0, "whoever had it was done with it");
    }

    #[test]
    fn who_comes_while_states_are_taken_down_keeps_the_others() {
        static ALONE: Process = Process::new();
        static FIRST: StateCell<u32> = StateCell::new();
        static SECOND: StateCell<u32> = StateCell::new();
        static LATER: Mutex<Option<User>> = Mutex::new(None);
        let user = ALONE.user();
        FIRST.of(&ALONE, "first", || Ok(1), None).expect("built");
        SECOND.of(&ALONE, "second", || Ok(2), Some(|_| *LATER.lock().expect("no panic") = Some(ALONE.user()))).expect("built");
        drop(user);
        assert_eq!((FIRST.built().as_deref(), SECOND.built().as_deref()), (Some(&1), None));
        drop(LATER.lock().expect("no panic").take());
        assert!(FIRST.built().is_none(), "that was the last");
    }
}
