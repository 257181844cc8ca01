//! What the owner of the machine has not handled yet.
//!
//! It refuses to know what any of it means. Invariants: what one peer said is handed out in the order in which it was said;
//! posting never waits for the owner; after `close` nothing is kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use partita_core::protocol::{ClientId, WorkerId};
use partita_graph::Failure;
use tokio::sync::Notify;

use super::door::{NewClient, NewNanny, NewWorker};
use super::owner::Owner;
use crate::message::{ClientToScheduler, NannyToScheduler, WorkerToScheduler};

/// What happened to a link, beside messages.
#[derive(Debug)]
pub(super) enum LinkChange {
    /// Nothing comes through. True when the other side closed the connection, as a process that dies does.
    Lost { closed_by_peer: bool },
    /// It flows again.
    Back,
    /// It is over.
    Closed(Failure),
}

/// What a worker's link brought.
pub(super) enum FromWorker {
    Joined(Box<NewWorker>),
    /// A message as it came: with many workers what all of them said takes far less room in bytes than decoded.
    Said(Bytes),
    /// What a large message says, which would have kept the owner busy for long.
    Decoded(Result<WorkerToScheduler, Failure>),
    Link(LinkChange),
}

/// What a client's link brought.
pub(super) enum FromClient {
    Joined(Box<NewClient>),
    Said(ClientToScheduler),
    /// A graph that is not sound, or cannot be read: its run fails and nothing else does.
    Unsound {
        run: u64,
        failure: Failure,
    },
    Link(LinkChange),
    Garbage(Failure),
}

/// What a nanny's link brought.
pub(super) enum FromNanny {
    Joined(Box<NewNanny>),
    Said(NannyToScheduler),
    Link(LinkChange),
    Garbage(Failure),
}

/// One thing for the owner.
pub(super) enum Incoming {
    Worker(WorkerId, FromWorker),
    Client(ClientId, FromClient),
    Nanny(u128, FromNanny),
    /// Somebody in this process wants to look or to do something.
    Visit(Box<dyn FnOnce(&mut Owner) + Send>),
}

#[derive(Default)]
struct Queue {
    items: Vec<Incoming>,
    closed: bool,
}

/// The queue.
#[derive(Default)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    bell: Notify,
}

impl Inbox {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves something for the owner. False once the owner is gone.
    pub fn post(&self, item: Incoming) -> bool {
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        queue.items.push(item);
        let first = queue.items.len() == 1;
        drop(queue);
        // The owner looks again before it sleeps, so only the first one has to wake it.
        if first {
            self.bell.notify_one();
        }
        true
    }

    /// Waits until something is there, or was: look again.
    pub async fn filled(&self) {
        self.bell.notified().await;
    }

    /// Swaps all that is there into `into`, which must be empty.
    pub fn take(&self, into: &mut Vec<Incoming>) {
        std::mem::swap(&mut self.queue().items, into);
    }

    /// The owner is gone: what is here is dropped, and so is all that still comes.
    pub fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        let items = std::mem::take(&mut queue.items);
        drop(queue);
        drop(items);
    }
}
