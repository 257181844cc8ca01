//! Everything that the coordination machine says and hears. Plain data: names are texts, values are bytes that only their users
//! understand.
//!
//! It refuses to know what a holder is and how messages travel. What the machine promises with these words: every [`Event::Ask`] has
//! exactly one [`Action::Answer`], at once or later, unless its holder goes first.

use std::sync::Arc;

use partita_graph::Failure;
use serde::{Deserialize, Serialize};

use crate::protocol::Tick;

/// The name of an object. Each kind of object has names of its own: a lock and a queue may both be called `a`.
pub type Name = Arc<str>;

/// A value or message, opaque to the machine.
pub type Bytes = Arc<[u8]>;

/// Whoever calls: the connection of a client, the process of a worker. A number is never used for a second one. When it is gone,
/// everything that it holds or waits for is released.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct HolderId(pub u64);

/// One call of a holder, which uses each number once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// Who within a holder has a lock: a task, a thread, a guard. Two owners in one process exclude each other like two processes. A holder
/// that is only one uses 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct OwnerId(pub u64);

/// A lease of a semaphore. Numbers are never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LeaseId(pub u64);

/// What can happen to the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A holder calls.
    Ask {
        /// Who.
        holder: HolderId,
        /// Its number for the call.
        request: RequestId,
        /// What it wants.
        what: Ask,
    },
    /// A holder no longer wants the outcome of a call. If the call waits, it is answered with [`Answer::Withdrawn`]. If a lock or a lease
    /// was given for it meanwhile, it is taken back: the holder just drops the answer that is on its way. If values of a queue are
    /// on their way, the holder gives them back with [`QueueAsk::PutBack`].
    Withdraw {
        /// Who.
        holder: HolderId,
        /// Which call.
        request: RequestId,
    },
    /// A holder is gone; nothing from it will be heard any more, and what is still heard is dropped.
    HolderGone(HolderId),
    /// Time passed. Needed when [`next_deadline`](super::Coordination::next_deadline) has come and nothing else happens.
    Tick,
}

/// What the machine wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Tell a holder the outcome of its call.
    Answer {
        /// Whom.
        holder: HolderId,
        /// Which call.
        request: RequestId,
        /// The outcome.
        answer: Result<Answer, Failure>,
    },
    /// Bring a message to a subscriber. Messages of one publisher come in its order.
    Deliver {
        /// Whom.
        holder: HolderId,
        /// The topic.
        topic: Name,
        /// What was published.
        message: Bytes,
    },
    /// Say to people that work may have run which should have waited.
    Warn(String),
}

/// What a holder may ask for, by kind and name of the object. `timeout` is always in microseconds: `None` waits for ever, `Some(0)` does
/// not wait; what did not come in time is [`Answer::TimedOut`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Of a lock.
    Lock(Name, LockAsk),
    /// Of a semaphore.
    Semaphore(Name, SemaphoreAsk),
    /// Of an event.
    Event(Name, EventAsk),
    /// Of a variable.
    Variable(Name, VariableAsk),
    /// Of a queue.
    Queue(Name, QueueAsk),
    /// Of a topic.
    Topic(Name, TopicAsk),
}

impl Ask {
    /// The object's name.
    pub fn name(&self) -> &Name {
        match self {
            Self::Lock(name, _)
            | Self::Semaphore(name, _)
            | Self::Event(name, _)
            | Self::Variable(name, _)
            | Self::Queue(name, _)
            | Self::Topic(name, _) => name,
        }
    }
}

/// What may be asked of a lock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LockAsk {
    /// Get it, in the order of asking. `Done` or `TimedOut`. Refused when the same owner has it already.
    Acquire {
        /// For whom within the holder.
        owner: OwnerId,
        /// Microseconds to wait at most.
        timeout: Option<Tick>,
    },
    /// Give it back. `Done`; refused when this owner does not have it.
    Release {
        /// Who has it.
        owner: OwnerId,
    },
    /// `Truth`: whether anybody has it.
    IsHeld,
}

/// What may be asked of a semaphore.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SemaphoreAsk {
    /// Get a lease, in the order of asking. `Lease` or `TimedOut`.
    Acquire {
        /// How many leases there are; at least 1. Whoever comes first fixes it while anybody uses the semaphore.
        max_leases: u32,
        /// The lease ends after so many microseconds unless it is refreshed. [`LEASE_MICROS`] is what to use without a reason.
        lease: Tick,
        /// Microseconds to wait at most.
        timeout: Option<Tick>,
    },
    /// The lease is still needed. `Done`; when it had expired, `Expired` if it is valid again, `Oversubscribed` if not.
    Refresh(LeaseId),
    /// Give it back. `Done`, or `Expired` when others may have worked beside it.
    Release(LeaseId),
    /// `Count`: the leases that are taken.
    Value,
    /// Whoever waits is refused, and all leases end. `Done`, also when there is no such semaphore.
    Close,
}

/// How long a lease is valid when nobody has a reason for another time, in microseconds. Its holder refreshes it three times as often.
pub const LEASE_MICROS: Tick = 30_000_000;

/// What may be asked of an event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EventAsk {
    /// Let everybody go on who waits, and everybody who will. `Done`.
    Set,
    /// From now on one waits again. `Done`.
    Clear,
    /// `Done` as soon as it is set, or `TimedOut`.
    Wait {
        /// Microseconds to wait at most.
        timeout: Option<Tick>,
    },
    /// `Truth`.
    IsSet,
}

/// What may be asked of a variable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VariableAsk {
    /// Replace its value. `Done`.
    Set(Bytes),
    /// `Value` as soon as it has one, or `TimedOut`.
    Get {
        /// Microseconds to wait at most.
        timeout: Option<Tick>,
    },
    /// Forget its value. `Done`, also when it had none.
    Delete,
}

/// What may be asked of a queue. A value that was answered is its receiver's: it is lost when the receiver dies with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum QueueAsk {
    /// Add to the end, in the order of asking; waits while the queue is full. `Done` or `TimedOut`.
    Put {
        /// What.
        value: Bytes,
        /// Values that the queue holds at most, 0 for any number. Whoever puts first fixes it while the queue holds something.
        maxsize: u32,
        /// Microseconds to wait at most.
        timeout: Option<Tick>,
    },
    /// Take the first one, in the order of asking. `Value` or `TimedOut`.
    Get {
        /// Microseconds to wait at most.
        timeout: Option<Tick>,
    },
    /// Wait for one, then take up to `count` of what is there, or all that fit into one answer ([`MAX_BATCH`](super::limits::MAX_BATCH)).
    /// `Values` or `TimedOut`.
    GetBatch {
        /// How many at most; `None` for all.
        count: Option<u32>,
        /// Microseconds to wait at most.
        timeout: Option<Tick>,
    },
    /// Put values back at the front, as they came: for a get that was given up when its answer was on its way. Never waits; the queue may
    /// hold more than its `maxsize` afterwards. `Done`.
    PutBack {
        /// What, the first one first.
        values: Vec<Bytes>,
        /// As for `Put`; used only when the queue is empty.
        maxsize: u32,
    },
    /// `Count`: the values in it. Those that wait for room are not counted.
    Size,
}

/// What may be asked of a topic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TopicAsk {
    /// Get every message from now on. `Done`, also when it was subscribed already; messages come once.
    Subscribe,
    /// `Done`, also when it was not subscribed.
    Unsubscribe,
    /// Give the message to all who are subscribed now. `Count`: to how many.
    Publish(Bytes),
}

/// The outcome of a call that was not refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is done, or it was given.
    Done,
    /// It did not come in time, and is no longer waited for.
    TimedOut,
    /// The call was given up before anything came.
    Withdrawn,
    /// A lease, valid from now on.
    Lease(LeaseId),
    /// The lease had expired, and others may have worked beside its holder. After a refresh it is valid again.
    Expired,
    /// The lease had expired and went to another. It counts as taken again, no other lease is given until the numbers are right, and its
    /// holder had better stop.
    Oversubscribed {
        /// Leases that are in use.
        taken: u32,
        /// Leases that there should be.
        max_leases: u32,
    },
    /// Yes or no.
    Truth(bool),
    /// A number.
    Count(u64),
    /// A value.
    Value(Bytes),
    /// Values, the first one first; at least one.
    Values(Vec<Bytes>),
}
