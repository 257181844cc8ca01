//! Messages by topic: who publishes does not know who listens.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partita_core::coordination::{Answer, Ask, Bytes, Name, TopicAsk};
use partita_graph::{Code, Failure};

use super::{done, read, unexpected, written};
use crate::client::Client;
use crate::client::mailbox::{Mailbox, Next};
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

/// The messages of a topic from when it was subscribed, in the order of each publisher. Those that were not read yet wait in the memory of
/// this process: all of them, or of a subscription by [`Topic::subscribe_last`] the newest, and how many others there were is counted.
/// Dropping it ends the subscription.
pub struct Subscription<T> {
    client: Client,
    name: Name,
    number: u64,
    messages: Mailbox<Bytes>,
    missed: Arc<AtomicU64>,
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

    /// Listens from now on. Messages that are not read wait in memory, however many they are: who reads more slowly than others publish
    /// uses [`Topic::subscribe_last`].
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn subscribe(&self) -> Result<Subscription<T>, Failure> {
        self.listen(usize::MAX)
    }

    /// Listens from now on, and keeps the last `most` messages that were not read yet (at least one): when another comes the oldest is
    /// dropped, which [`Subscription::missed`] counts. Publishers never wait.
    ///
    /// ```
    /// use partita::Topic;
    /// let losses = Topic::<u32>::new("losses of a slow reader")?;
    /// let heard = losses.subscribe_last(2)?;
    /// (1..=5).try_for_each(|step| losses.publish(&step).map(drop))?;
    /// assert_eq!((heard.recv()?, heard.recv()?), (4, 5));
    /// assert_eq!(heard.missed(), 3);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The scheduler is gone.
    pub fn subscribe_last(&self, most: usize) -> Result<Subscription<T>, Failure> {
        self.listen(most)
    }

    fn listen(&self, most: usize) -> Result<Subscription<T>, Failure> {
        let (messages, missed) = (Mailbox::new(), Arc::new(AtomicU64::new(0)));
        let sender = Sender { messages: messages.clone(), missed: missed.clone(), most };
        let mut subscription = None;
        let subscribed = self.client.asked(None, |told| {
            let (number, asked) = self.client.desk_listen(&self.name, Box::new(move |message| sender.put(message)), told);
            let (client, name, messages, missed) = (self.client.clone(), self.name.clone(), messages.clone(), missed.clone());
            subscription = Some(Subscription { client, name, number, messages, missed, value: PhantomData });
            asked
        });
        done(subscribed?)?;
        subscription.ok_or_else(|| Failure::internal("a subscription was answered before it was asked for"))
    }
}

impl<T: TaskValue> Subscription<T> {
    /// Waits for the next message.
    ///
    /// # Errors
    /// A message of another type; the scheduler is gone (E0221); the task that waits is cancelled.
    pub fn recv(&self) -> Result<T, Failure> {
        match self.messages.wait(None)? {
            Next::Came(bytes) => read(&bytes),
            Next::Late | Next::Closed => Err(self.over()),
        }
    }

    /// The same, but not waiting longer than this; `None` when none has come by then.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<T>, Failure> {
        // A time that no clock reaches is no limit.
        match self.messages.wait(Instant::now().checked_add(timeout))? {
            Next::Came(bytes) => read(&bytes).map(Some),
            Next::Late => Ok(None),
            Next::Closed => Err(self.over()),
        }
    }

    /// How many messages were dropped because newer ones came before they were read. 0 for a subscription without a limit.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    fn over(&self) -> Failure {
        let what = format!("nothing is heard of the topic {:?} any more, because the scheduler is gone", &*self.name);
        Failure::new(Code::Disconnected, what).help("connect again and subscribe again, once a scheduler runs")
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
        self.client.desk_ignore(&self.name, self.number);
    }
}

/// The listener's end: the mailbox is closed with it.
struct Sender {
    messages: Mailbox<Bytes>,
    missed: Arc<AtomicU64>,
    most: usize,
}

impl Sender {
    fn put(&self, message: Bytes) {
        self.messages.put_within(message, self.most, &self.missed);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.messages.close();
    }
}
