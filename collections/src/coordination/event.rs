//! A flag by name, for which others wait.

use std::time::Duration;

use partita_core::coordination::{Answer, Ask, EventAsk, Name};
use partita_graph::Failure;

use super::{done, micros, unexpected};
use crate::client::Client;

/// A flag for which tasks and programs of a cluster wait.
///
/// ```
/// use partita::Event;
/// let ready = Event::new("ready")?;
/// assert!(!ready.wait_timeout(std::time::Duration::from_millis(1))?);
/// ready.set()?;
/// ready.wait()?;
/// ready.clear()?;
/// assert!(!ready.is_set()?);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone)]
pub struct Event {
    client: Client,
    name: Name,
}

impl Event {
    /// The event of this name, of the current client.
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

    fn ask(&self, what: EventAsk) -> Result<Answer, Failure> {
        self.client.coordinate(Ask::Event(self.name.clone(), what))
    }

    /// Lets everybody go on who waits, and everybody who will.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn set(&self) -> Result<(), Failure> {
        done(self.ask(EventAsk::Set)?).map(drop)
    }

    /// From now on one waits again.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn clear(&self) -> Result<(), Failure> {
        done(self.ask(EventAsk::Clear)?).map(drop)
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn wait(&self) -> Result<(), Failure> {
        done(self.ask(EventAsk::Wait { timeout: None })?).map(drop)
    }

    /// Waits until it is set, but not longer than this; whether it was.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, Failure> {
        done(self.ask(EventAsk::Wait { timeout: micros(Some(timeout)) })?)
    }

    /// Whether it is set.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn is_set(&self) -> Result<bool, Failure> {
        match self.ask(EventAsk::IsSet)? {
            Answer::Truth(set) => Ok(set),
            other => Err(unexpected(other)),
        }
    }
}
