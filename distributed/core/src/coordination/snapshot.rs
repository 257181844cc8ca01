//! What people may see of the coordination machine: plain data, made on demand. It never hands out values, nor the machine itself.

use serde::{Deserialize, Serialize};

use super::Coordination;
use super::protocol::{HolderId, LeaseId, Name, OwnerId};
use crate::protocol::Tick;

/// The machine at one moment; every list in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Locks that somebody has.
    pub locks: Vec<LockView>,
    /// Semaphores of which a lease is taken or remembered.
    pub semaphores: Vec<SemaphoreView>,
    /// Events that are set or waited for.
    pub events: Vec<EventView>,
    /// Variables that have a value or are waited for.
    pub variables: Vec<VariableView>,
    /// Queues that hold something or are waited for.
    pub queues: Vec<QueueView>,
    /// Topics that have subscribers.
    pub topics: Vec<TopicView>,
}

/// One lock in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockView {
    /// Its name.
    pub name: Name,
    /// Who has it.
    pub holder: HolderId,
    /// Who within the holder.
    pub owner: OwnerId,
    /// Who waits, in order.
    pub waiting: Vec<HolderId>,
}

/// One semaphore in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemaphoreView {
    /// Its name.
    pub name: Name,
    /// How many leases there are.
    pub max_leases: u32,
    /// The leases that are known: live ones, then those over the number, then expired ones, each in the order in which they were given.
    pub leases: Vec<LeaseView>,
    /// Who waits, in order.
    pub waiting: Vec<HolderId>,
}

/// One lease in a [`SemaphoreView`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    /// Its number.
    pub id: LeaseId,
    /// Who has it.
    pub holder: HolderId,
    /// Whether it is valid.
    pub state: LeaseState,
    /// When it ends or ended, unless it is refreshed.
    pub until: Tick,
}

/// Whether a lease is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseState {
    /// It is.
    Live,
    /// It expired and went to another, but its holder said that it works on.
    Over,
    /// It expired, and nothing was heard of it since.
    Expired,
}

/// One event in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Its name.
    pub name: Name,
    /// Whether it is set.
    pub set: bool,
    /// Who waits, in order.
    pub waiting: Vec<HolderId>,
}

/// One variable in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableView {
    /// Its name.
    pub name: Name,
    /// Bytes of its value, if it has one.
    pub nbytes: Option<u64>,
    /// Who waits, in order.
    pub waiting: Vec<HolderId>,
}

/// One queue in a [`Snapshot`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// Its name.
    pub name: Name,
    /// Values that it holds at most; 0 for any number, and while it holds none.
    pub maxsize: u32,
    /// Values in it.
    pub items: u64,
    /// Bytes of these.
    pub nbytes: u64,
    /// Who waits for a value, in order.
    pub getting: Vec<HolderId>,
    /// Who waits for room, in order.
    pub putting: Vec<HolderId>,
}

/// One topic in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicView {
    /// Its name.
    pub name: Name,
    /// Who gets its messages.
    pub subscribers: Vec<HolderId>,
}

impl Coordination {
    /// Everything at this moment. O(everything).
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            locks: self.locks.view(),
            semaphores: self.semaphores.view(),
            events: self.events.view(),
            variables: self.variables.view(),
            queues: self.queues.view(),
            topics: self.topics.view(),
        }
    }
}
