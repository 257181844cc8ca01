//! Who waits for what, who holds what, and what falls due when; and the lines in which one waits.
//!
//! It refuses to know what a lock or a queue is. Invariant: every fact in here says again, by holder or by time, what an object says
//! by name; `check()` derives all of it from the objects.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Failure;

use super::limits::{check_bytes, check_held, cost};
use super::protocol::{Action, Answer, Bytes, HolderId, LeaseId, Name, RequestId};
use crate::protocol::Tick;

/// What became of a call: an answer, a wait (`None`), or a refusal.
pub(super) type Outcome = Result<Option<Answer>, Failure>;

/// A call that must be answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Call {
    pub holder: HolderId,
    pub request: RequestId,
}

/// A place in a line: whoever has the lower number came earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Ticket(u64);

/// Where a call waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Lock(Name),
    Semaphore(Name),
    Event(Name),
    Variable(Name),
    Queue(Name),
}

/// What a call brought that must be given back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Held {
    Lock(Name),
    Lease(LeaseId, Name),
}

/// What happens at a deadline. Leases come first, so that a lease which ends in the same moment still reaches who waits for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Due {
    Lease(LeaseId, Name),
    Wait(Ticket, Call),
}

/// What one holder has.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Holder {
    pub waits: BTreeMap<RequestId, (Ticket, Place)>,
    /// By the call that brought it.
    pub holds: BTreeMap<RequestId, Held>,
    pub topics: BTreeSet<Name>,
}

impl Holder {
    fn count(&self) -> usize {
        self.waits.len() + self.holds.len() + self.topics.len()
    }
}

/// The machine's memory beside its objects.
#[derive(Default)]
pub(super) struct Book {
    pub now: Tick,
    /// Only those that have something.
    pub holders: BTreeMap<HolderId, Holder>,
    pub deadlines: BTreeSet<(Tick, Due)>,
    /// What all values cost that are kept.
    pub bytes: u64,
    tickets: u64,
    leases: u64,
    pub out: Vec<Action>,
}

impl Book {
    pub fn answer(&mut self, call: Call, answer: Result<Answer, Failure>) {
        self.out.push(Action::Answer { holder: call.holder, request: call.request, answer });
    }

    pub fn warn(&mut self, text: String) {
        self.out.push(Action::Warn(text));
    }

    /// Changes what a holder has, and forgets the holder when that is nothing.
    pub fn change(&mut self, id: HolderId, change: impl FnOnce(&mut Holder)) {
        let holder = self.holders.entry(id).or_default();
        change(holder);
        if holder.count() == 0 {
            self.holders.remove(&id);
        }
    }

    /// Refuses when the holder may have nothing more. A wait takes the room of what it may bring.
    pub fn check_holder(&self, id: HolderId) -> Result<(), Failure> {
        check_held(self.holders.get(&id).map_or(0, Holder::count))
    }

    /// Refuses when values of this cost cannot be kept.
    pub fn check_bytes(&self, cost: u64) -> Result<(), Failure> {
        check_bytes(self.bytes, cost)
    }

    pub fn keep(&mut self, value: &Bytes) {
        self.bytes += cost(value);
    }

    pub fn let_go(&mut self, value: &Bytes) {
        self.bytes -= cost(value);
    }

    pub fn next_lease(&mut self) -> LeaseId {
        self.leases += 1;
        LeaseId(self.leases)
    }

    /// Whether the number of the call is taken by a call that waits or that brought what is held.
    pub fn is_in_use(&self, call: Call) -> bool {
        let taken = |holder: &Holder| holder.waits.contains_key(&call.request) || holder.holds.contains_key(&call.request);
        self.holders.get(&call.holder).is_some_and(taken)
    }

    /// Where the call waits.
    pub fn wait_of(&self, call: Call) -> Option<(Ticket, Place)> {
        self.holders.get(&call.holder)?.waits.get(&call.request).cloned()
    }

    /// What the call brought.
    pub fn held_by(&self, call: Call) -> Option<Held> {
        self.holders.get(&call.holder)?.holds.get(&call.request).cloned()
    }

    /// What falls due next, if its time has come.
    pub fn pop_due(&mut self) -> Option<Due> {
        let (when, _) = self.deadlines.first()?;
        if *when > self.now {
            return None;
        }
        self.deadlines.pop_first().map(|(_, due)| due)
    }

    fn forget_wait<T>(&mut self, ticket: Ticket, waiter: &Waiter<T>) {
        if let Some(until) = waiter.until {
            self.deadlines.remove(&(until, Due::Wait(ticket, waiter.call)));
        }
        self.change(waiter.call.holder, |holder| {
            holder.waits.remove(&waiter.call.request);
        });
    }
}

/// A call that waits, and what for.
pub(super) struct Waiter<T> {
    pub call: Call,
    /// When it gives up.
    pub until: Option<Tick>,
    pub wants: T,
}

/// Calls that wait for one thing, in the order in which they came.
pub(super) struct Line<T>(BTreeMap<Ticket, Waiter<T>>);

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Line<T> {
    /// Puts a call at the end, unless it does not want to wait or its holder waits for too much.
    pub fn join(&mut self, book: &mut Book, call: Call, place: Place, timeout: Option<Tick>, wants: T) -> Outcome {
        if timeout == Some(0) {
            return Ok(Some(Answer::TimedOut));
        }
        book.check_holder(call.holder)?;
        book.tickets += 1;
        let ticket = Ticket(book.tickets);
        let until = timeout.map(|micros| book.now.saturating_add(micros));
        if let Some(until) = until {
            book.deadlines.insert((until, Due::Wait(ticket, call)));
        }
        book.change(call.holder, |holder| {
            holder.waits.insert(call.request, (ticket, place));
        });
        self.0.insert(ticket, Waiter { call, until, wants });
        Ok(None)
    }

    /// Takes out who waits longest, who must then be answered.
    pub fn serve(&mut self, book: &mut Book) -> Option<Waiter<T>> {
        let (ticket, waiter) = self.0.pop_first()?;
        book.forget_wait(ticket, &waiter);
        Some(waiter)
    }

    /// Takes out one that gives up.
    pub fn leave(&mut self, book: &mut Book, ticket: Ticket) -> Waiter<T> {
        let waiter = self.0.remove(&ticket).expect("whoever waits stands in the line that its holder names");
        book.forget_wait(ticket, &waiter);
        waiter
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Ticket, &Waiter<T>)> {
        self.0.iter()
    }

    /// Who waits, in order.
    pub fn holders(&self) -> Vec<HolderId> {
        self.0.values().map(|waiter| waiter.call.holder).collect()
    }
}
