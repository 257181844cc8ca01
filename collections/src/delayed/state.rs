//! What a worker's process keeps between tasks: models, connections, caches, built once on first use.
//!
//! It refuses to know what is kept. Invariants: at most one value is built, however many tasks want it at the same time; a failed
//! build is told to whoever waited and tried again by the next.

use std::sync::{Mutex, OnceLock, PoisonError};

use partita_graph::Failure;

/// A value of a process; `#[worker_state]` makes one for each function that it stands on.
pub struct StateCell<T> {
    value: OnceLock<T>,
    building: Mutex<()>,
}

impl<T: Send + Sync + 'static> StateCell<T> {
    /// Nothing is built yet.
    pub const fn new() -> Self {
        Self { value: OnceLock::new(), building: Mutex::new(()) }
    }

    /// The value, built now if this is the first time.
    ///
    /// # Errors
    /// The build's own, with the state's name.
    pub fn get(&'static self, name: &'static str, build: impl FnOnce() -> Result<T, Failure>) -> Result<&'static T, Failure> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        // A build that panicked has built nothing.
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let value = build().map_err(|failure| failure.detail("worker state", name))?;
        Ok(self.value.get_or_init(|| value))
    }
}

impl<T: Send + Sync + 'static> Default for StateCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::Code;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn it_is_built_once_and_a_failure_is_tried_again() {
        static CELL: StateCell<u32> = StateCell::new();
        static BUILT: AtomicU32 = AtomicU32::new(0);
        let failed = CELL.get("number", || Err(Failure::new(Code::UserFunction, "not yet"))).expect_err("it failed");
        assert!(failed.to_string().contains("number"), "{failed}");
        let build = || {
            BUILT.fetch_add(1, Ordering::Relaxed);
            Ok(7)
        };
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(move || CELL.get("number", build).copied())).collect();
            all.into_iter().for_each(|one| assert_eq!(one.join().expect("no panic").expect("built"), 7));
        });
        assert_eq!(BUILT.load(Ordering::Relaxed), 1);
    }
}
