//! A queue by name.

use std::marker::PhantomData;
use std::time::Duration;

use partita_core::coordination::{Answer, Ask, Name, QueueAsk};
use partita_graph::Failure;

use super::{done, micros, read, unexpected, written};
use crate::client::Client;
use crate::delayed::value::TaskValue;

/// Values in the order in which they were put, each taken once.
///
/// ```
/// use partita::Queue;
/// let jobs = Queue::<String>::new("jobs")?;
/// jobs.put(&"first".to_owned())?;
/// jobs.put(&"second".to_owned())?;
/// assert_eq!(jobs.get()?, "first");
/// assert_eq!(jobs.get_batch(None)?, ["second"]);
/// # Ok::<(), partita::Error>(())
/// ```
pub struct Queue<T> {
    client: Client,
    name: Name,
    maxsize: u32,
    value: PhantomData<fn() -> T>,
}

impl<T: TaskValue> Queue<T> {
    /// The queue of this name, of the current client; it holds any number of values.
    ///
    /// # Errors
    /// As [`Client::current`].
    pub fn new(name: &str) -> Result<Self, Failure> {
        Ok(Self::of(&Client::current()?, name))
    }

    /// The same of another client.
    pub fn of(client: &Client, name: &str) -> Self {
        Self { client: client.clone(), name: name.into(), maxsize: 0, value: PhantomData }
    }

    /// The same, holding at most so many values: `put` waits while it is full. Whoever puts first decides.
    pub fn maxsize(mut self, maxsize: u32) -> Self {
        self.maxsize = maxsize;
        self
    }

    fn ask(&self, what: QueueAsk) -> Result<Answer, Failure> {
        self.client.coordinate(Ask::Queue(self.name.clone(), what))
    }

    fn take(&self, what: QueueAsk) -> Result<Answer, Failure> {
        self.client.take_from_queue(&self.name, self.maxsize, what)
    }

    /// Adds a value at the end; waits while the queue is full.
    ///
    /// # Errors
    /// The value cannot be written or is too large; the scheduler is gone.
    pub fn put(&self, value: &T) -> Result<(), Failure> {
        done(self.ask(QueueAsk::Put { value: written(value)?, maxsize: self.maxsize, timeout: None })?).map(drop)
    }

    /// The same, but not waiting longer than this; whether there was room.
    ///
    /// # Errors
    /// As [`Queue::put`].
    pub fn put_timeout(&self, value: &T, timeout: Duration) -> Result<bool, Failure> {
        done(self.ask(QueueAsk::Put { value: written(value)?, maxsize: self.maxsize, timeout: micros(Some(timeout)) })?)
    }

    /// Takes the first value; waits until there is one.
    ///
    /// # Errors
    /// A value of another type is there; the scheduler is gone.
    pub fn get(&self) -> Result<T, Failure> {
        self.within(None)?.ok_or_else(|| unexpected(Answer::TimedOut))
    }

    /// The same, but not waiting longer than this; `None` when there is none by then.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<Option<T>, Failure> {
        self.within(Some(timeout))
    }

    fn within(&self, timeout: Option<Duration>) -> Result<Option<T>, Failure> {
        match self.take(QueueAsk::Get { timeout: micros(timeout) })? {
            Answer::Value(bytes) => read(&bytes).map(Some),
            Answer::TimedOut => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// Waits for one value, and takes up to so many of what is there then, or all.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub fn get_batch(&self, count: Option<u32>) -> Result<Vec<T>, Failure> {
        match self.take(QueueAsk::GetBatch { count, timeout: None })? {
            Answer::Values(all) => all.iter().map(|bytes| read(bytes)).collect(),
            other => Err(unexpected(other)),
        }
    }

    /// How many values are in it.
    ///
    /// # Errors
    /// The scheduler is gone.
    #[doc(alias = "qsize")]
    pub fn size(&self) -> Result<u64, Failure> {
        match self.ask(QueueAsk::Size)? {
            Answer::Count(count) => Ok(count),
            other => Err(unexpected(other)),
        }
    }
}
