//! Who in this process listens to which topic.
//!
//! It refuses to know who publishes. Invariants: a listener hears messages one at a time and in their order; it is called under no lock
//! but its own; it is dropped when nothing will be published here any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::coordination::{Bytes, Name};

/// Takes the messages of a topic; it must not block.
pub type Listener = Box<dyn FnMut(Bytes) + Send>;

type Numbered = (u64, Arc<Mutex<Listener>>);

/// The listeners of a process.
#[derive(Default)]
pub struct Listeners {
    by_topic: Mutex<HashMap<Name, Vec<Numbered>>>,
    next: AtomicU64,
    turns: Mutex<()>,
}

impl Listeners {
    /// Whoever comes or goes holds this while the publisher's side is told too: otherwise that the last one has gone could be said
    /// after the next one has come, who would then hear nothing.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing will be published any more: all listeners are dropped.
    pub fn close(&self) {
        let all = std::mem::take(&mut *self.by_topic());
        // Dropped here, when the lock is free: what a listener keeps may come and go itself.
        drop(all);
    }

    fn by_topic(&self) -> MutexGuard<'_, HashMap<Name, Vec<Numbered>>> {
        self.by_topic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the listener hears the topic; the number is for [`Listeners::ignore`].
    pub fn listen(&self, topic: &Name, listener: Listener) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.by_topic().entry(topic.clone()).or_default().push((number, Arc::new(Mutex::new(listener))));
        number
    }

    /// The listener hears no more. True when it was the last one of the topic.
    pub fn ignore(&self, topic: &Name, number: u64) -> bool {
        let mut by_topic = self.by_topic();
        let Some(listeners) = by_topic.get_mut(topic) else { return true };
        listeners.retain(|(known, _)| *known != number);
        let last = listeners.is_empty();
        if last {
            by_topic.remove(topic);
        }
        last
    }

    /// A message came.
    pub fn hear(&self, topic: &Name, message: &Bytes) {
        let listeners: Vec<Numbered> = self.by_topic().get(topic).cloned().unwrap_or_default();
        for (_, listener) in listeners {
            listener.lock().unwrap_or_else(PoisonError::into_inner)(message.clone());
        }
    }
}
