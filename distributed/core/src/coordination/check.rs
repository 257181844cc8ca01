//! Derives again from the objects who waits, who holds and what falls due, and panics when the book says otherwise. Never called in
//! production; tests call it after each event. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Coordination;
use super::book::{Call, Due, Held, Holder, Line, Place};
use super::limits::{MAX_BYTES, MAX_HELD, cost};
use super::protocol::{Bytes, HolderId, Name};
use crate::protocol::Tick;

/// What the objects say.
#[derive(Default)]
pub(super) struct Found {
    holders: BTreeMap<HolderId, Holder>,
    deadlines: BTreeSet<(Tick, Due)>,
    bytes: u64,
}

impl Found {
    pub fn waiting<T>(&mut self, line: &Line<T>, place: &Place) {
        for (ticket, waiter) in line.iter() {
            let waits = &mut self.holders.entry(waiter.call.holder).or_default().waits;
            let twice = waits.insert(waiter.call.request, (*ticket, place.clone()));
            assert!(twice.is_none(), "{:?} waits twice", waiter.call);
            waiter.until.into_iter().for_each(|until| self.due(until, Due::Wait(*ticket, waiter.call)));
        }
    }

    pub fn holding(&mut self, by: Call, held: Held) {
        let twice = self.holders.entry(by.holder).or_default().holds.insert(by.request, held);
        assert!(twice.is_none(), "{by:?} brought two things");
    }

    pub fn subscribing(&mut self, holder: HolderId, topic: Name) {
        self.holders.entry(holder).or_default().topics.insert(topic);
    }

    pub fn due(&mut self, when: Tick, what: Due) {
        self.deadlines.insert((when, what));
    }

    pub fn keeping(&mut self, value: &Bytes) {
        self.bytes += cost(value);
    }
}

impl Coordination {
    /// Asserts that what is known by holder and by time agrees with the objects, and that no object outlives its reason. O(everything).
    pub fn check(&self) {
        let mut found = Found::default();
        self.locks.check(&mut found);
        self.semaphores.check(&mut found);
        self.events.check(&mut found);
        self.variables.check(&mut found);
        self.queues.check(&mut found);
        self.topics.check(&mut found);
        assert_eq!(found.holders, self.book.holders, "what holders wait for and hold");
        assert_eq!(found.deadlines, self.book.deadlines, "what falls due");
        assert_eq!(found.bytes, self.book.bytes, "bytes of values");
        assert!(found.bytes <= MAX_BYTES, "values have {} bytes", found.bytes);
        for (id, holder) in &found.holders {
            assert!(!self.gone.contains(id), "holder {} is gone and has something", id.0);
            let (waits, holds) = (holder.waits.len(), holder.holds.len());
            assert!(waits + holds + holder.topics.len() <= MAX_HELD, "holder {} has too much", id.0);
            let twice = holder.waits.keys().find(|request| holder.holds.contains_key(request));
            assert!(twice.is_none(), "{twice:?} of holder {} waits and has brought something", id.0);
        }
        assert!(found.deadlines.first().is_none_or(|(when, _)| *when > self.book.now), "something is due and did not happen");
        assert!(self.book.out.is_empty(), "an event was handled to its end");
    }
}
