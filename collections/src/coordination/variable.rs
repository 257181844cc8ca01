//! A value by name, which everybody may replace.

use std::marker::PhantomData;
use std::time::Duration;

use partita_core::coordination::{Answer, Ask, Name, VariableAsk};
use partita_graph::Failure;

use super::{done, micros, read, unexpected, written};
use crate::client::Client;
use crate::delayed::value::TaskValue;

/// A small value that tasks and programs of a cluster share. For large ones scatter the value and share its future.
///
/// ```
/// use partita::Variable;
/// let threshold = Variable::<f64>::new("threshold")?;
/// threshold.set(&0.5)?;
/// assert_eq!(threshold.get()?, 0.5);
/// threshold.delete()?;
/// # Ok::<(), partita::Error>(())
/// ```
pub struct Variable<T> {
    client: Client,
    name: Name,
    value: PhantomData<fn() -> T>,
}

impl<T: TaskValue> Variable<T> {
    /// The variable of this name, of the current client.
    ///
    /// # Errors
    /// As [`Client::current`].
    pub fn new(name: &str) -> Result<Self, Failure> {
        Ok(Self::of(&Client::current()?, name))
    }

    /// The same of another client.
    pub fn of(client: &Client, name: &str) -> Self {
        Self { client: client.clone(), name: name.into(), value: PhantomData }
    }

    fn ask(&self, what: VariableAsk) -> Result<Answer, Failure> {
        self.client.coordinate(Ask::Variable(self.name.clone(), what))
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// The value cannot be written or is too large; the scheduler is gone.
    pub fn set(&self, value: &T) -> Result<(), Failure> {
        done(self.ask(VariableAsk::Set(written(value)?))?).map(drop)
    }

    /// The value; waits until there is one.
    ///
    /// # Errors
    /// A value of another type is there; the scheduler is gone.
    pub fn get(&self) -> Result<T, Failure> {
        self.within(None)?.ok_or_else(|| unexpected(Answer::TimedOut))
    }

    /// The same, but not waiting longer than this; `None` when there is none by then.
    ///
    /// # Errors
    /// As [`Variable::get`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<Option<T>, Failure> {
        self.within(Some(timeout))
    }

    fn within(&self, timeout: Option<Duration>) -> Result<Option<T>, Failure> {
        match self.ask(VariableAsk::Get { timeout: micros(timeout) })? {
            Answer::Value(bytes) => read(&bytes).map(Some),
            Answer::TimedOut => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// Forgets the value.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn delete(&self) -> Result<(), Failure> {
        done(self.ask(VariableAsk::Delete)?).map(drop)
    }
}
