//! Messages by topic: who publishes does not know who listens.

use std::marker::PhantomData;
use std::sync::mpsc;
use std::time::Duration;

use partita_core::coordination::{Answer, Ask, Bytes, Name, TopicAsk};
use partita_graph::Failure;

use super::{done, read, unexpected, written};
use crate::client::Client;
use crate::delayed::value::TaskValue;

/// A topic under which messages are published to all who listen at that moment.
///
/// ```
/// use partita::Topic;
/// let losses = Topic::<f64>::new("losses")?;
/// let heard = losses.subscribe()?;
/// assert_eq!(losses.publish(&0.25)?, 1);
/// assert_eq!(heard.recv()?, 0.25);
/// # Ok::<(), partita::Error>(())
/// ```
pub struct Topic<T> {
    client: Client,
    name: Name,
    value: PhantomData<fn() -> T>,
}

/// The messages of a topic from when it was subscribed, in the order of each publisher. Dropping it ends the subscription.
pub struct Subscription<T> {
    client: Client,
    name: Name,
    number: u64,
    messages: mpsc::Receiver<Bytes>,
    value: PhantomData<fn() -> T>,
}

impl<T: TaskValue> Topic<T> {
    /// The topic of this name, of the current client.
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

    fn ask(&self, what: TopicAsk) -> Result<Answer, Failure> {
        self.client.coordinate(Ask::Topic(self.name.clone(), what))
    }

    /// Gives a message to all processes that listen now, and says how many they are.
    ///
    /// # Errors
    /// The message cannot be written or is too large; the scheduler is gone.
    pub fn publish(&self, message: &T) -> Result<u64, Failure> {
        match self.ask(TopicAsk::Publish(written(message)?))? {
            Answer::Count(count) => Ok(count),
            other => Err(unexpected(other)),
        }
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn subscribe(&self) -> Result<Subscription<T>, Failure> {
        let (sender, messages) = mpsc::channel();
        // Nobody reads once the subscription is dropped.
        let number = self.client.desk_listen(&self.name, Box::new(move |message| drop(sender.send(message))));
        let subscription = Subscription { client: self.client.clone(), name: self.name.clone(), number, messages, value: PhantomData };
        done(self.ask(TopicAsk::Subscribe)?)?;
        Ok(subscription)
    }
}

impl<T: TaskValue> Subscription<T> {
    /// Waits for the next message.
    ///
    /// # Errors
    /// A message of another type; the scheduler is gone.
    pub fn recv(&self) -> Result<T, Failure> {
        let next = partita_local::while_waiting(|| self.messages.recv());
        read(&next.map_err(|_| Failure::internal("nobody publishes any more"))?)
    }

    /// The same, but not waiting longer than this; `None` when none has come by then.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<T>, Failure> {
        let next = partita_local::while_waiting(|| self.messages.recv_timeout(timeout));
        next.ok().map(|bytes| read(&bytes)).transpose()
    }
}

impl<T: TaskValue> Iterator for Subscription<T> {
    type Item = Result<T, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.recv())
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        if self.client.desk_ignore(&self.name, self.number) {
            self.client.desk_ask(Ask::Topic(self.name.clone(), TopicAsk::Unsubscribe), Box::new(drop));
        }
    }
}
