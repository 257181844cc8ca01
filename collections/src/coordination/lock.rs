//! A lock by name.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use partita_core::coordination::{Answer, Ask, LockAsk, Name, OwnerId};
use partita_graph::Failure;

use super::{done, micros, unexpected};
use crate::client::Client;

/// A lock that one task or program of a cluster has at a time; whoever asked first gets it first.
///
/// ```
/// use partita::Lock;
/// let lock = Lock::new("results.csv")?;
/// {
///     let _guard = lock.acquire()?;
///     // Nobody else has it now, on whatever host.
/// }
/// assert!(!lock.is_held()?);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone)]
pub struct Lock {
    client: Client,
    name: Name,
}

/// A lock that is had. Dropping it gives it back.
#[must_use = "the lock is given back when this is dropped"]
pub struct LockGuard {
    client: Client,
    name: Name,
    owner: OwnerId,
}

/// Owners in this process are told apart, so that two of its threads exclude each other.
fn new_owner() -> OwnerId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    OwnerId(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Lock {
    /// The lock of this name, of the current client.
    ///
    /// # Errors
    /// As [`Client::current`].
    pub fn new(name: &str) -> Result<Self, Failure> {
        Ok(Self::of(&Client::current()?, name))
    }

    /// The same of another client.
    pub fn of(client: &Client, name: &str) -> Self {
        Self { client: client.clone(), name: name.into() }
    }

    fn ask(&self, what: LockAsk) -> Result<Answer, Failure> {
        self.client.coordinate(Ask::Lock(self.name.clone(), what))
    }

    /// Waits for it, for as long as it takes.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn acquire(&self) -> Result<LockGuard, Failure> {
        self.within(None)?.ok_or_else(|| unexpected(Answer::TimedOut))
    }

    /// Waits for it, but not longer than this; `None` when it did not come.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<LockGuard>, Failure> {
        self.within(Some(timeout))
    }

    fn within(&self, timeout: Option<Duration>) -> Result<Option<LockGuard>, Failure> {
        let owner = new_owner();
        let had = done(self.ask(LockAsk::Acquire { owner, timeout: micros(timeout) })?)?;
        Ok(had.then(|| LockGuard { client: self.client.clone(), name: self.name.clone(), owner }))
    }

    /// Whether anybody has it.
    ///
    /// # Errors
    /// The scheduler is gone.
    #[doc(alias = "locked")]
    pub fn is_held(&self) -> Result<bool, Failure> {
        match self.ask(LockAsk::IsHeld)? {
            Answer::Truth(held) => Ok(held),
            other => Err(unexpected(other)),
        }
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        // Not waited for: what is asked next is answered after it. A scheduler that is gone has released it.
        self.client.desk_ask(Ask::Lock(self.name.clone(), LockAsk::Release { owner: self.owner }), Box::new(drop));
    }
}
