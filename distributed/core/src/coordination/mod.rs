//! The machine for what processes agree on beside tasks: locks, semaphores, events, variables, queues and topics, by name.
//!
//! It refuses to know clocks, sockets, tasks, and what a value means. Whoever calls is a holder; whatever a holder has or waits for is
//! released when it is gone, so that a death blocks nobody. Invariants: every call has exactly one answer; whoever asked first is
//! served first; an object exists only while somebody has it or waits for it, or while it has a value. This file dispatches only.
//!
//! ```
//! use partita_core::coordination::{Action, Answer, Ask, Coordination, Event, HolderId, LockAsk, OwnerId, RequestId};
//! let mut machine = Coordination::new();
//! let mut out = Vec::new();
//! for holder in [HolderId(1), HolderId(2)] {
//!     let what = Ask::Lock("writer".into(), LockAsk::Acquire { owner: OwnerId(0), timeout: None });
//!     machine.handle(0, Event::Ask { holder, request: RequestId(1), what }, &mut out);
//! }
//! let given = |holder| Action::Answer { holder, request: RequestId(1), answer: Ok(Answer::Done) };
//! assert_eq!(out, [given(HolderId(1))]);
//! machine.handle(5, Event::HolderGone(HolderId(1)), &mut out);
//! assert_eq!(out, [given(HolderId(1)), given(HolderId(2))]);
//! ```

mod book;
mod check;
mod event;
pub mod limits;
mod lock;
mod protocol;
mod queue;
mod semaphore;
mod snapshot;
mod topic;
mod variable;

use std::collections::BTreeSet;

use book::{Book, Call, Due, Held, Outcome, Place};
use event::Events;
use lock::Locks;
use partita_graph::Failure;
pub use protocol::{
    Action, Answer, Ask, Bytes, Event, EventAsk, HolderId, LEASE_MICROS, LeaseId, LockAsk, Name, OwnerId, QueueAsk, RequestId,
    SemaphoreAsk, TopicAsk, VariableAsk,
};
use queue::Queues;
use semaphore::Semaphores;
pub use snapshot::{EventView, LeaseState, LeaseView, LockView, QueueView, SemaphoreView, Snapshot, TopicView, VariableView};
use topic::Topics;
use variable::Variables;

use crate::protocol::Tick;

/// Of so many holders that are gone it is remembered that they are.
const REMEMBERED: usize = 65_536;

/// The machine.
#[derive(Default)]
pub struct Coordination {
    book: Book,
    locks: Locks,
    semaphores: Semaphores,
    events: Events,
    variables: Variables,
    queues: Queues,
    topics: Topics,
    gone: BTreeSet<HolderId>,
}

impl Coordination {
    /// A machine without objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened and appends to `out` what must be done, in order. What fell due by `now` happens first, in the order of its
    /// time. A `now` before an earlier one counts as that.
    pub fn handle(&mut self, now: Tick, event: Event, out: &mut Vec<Action>) {
        self.book.now = self.book.now.max(now);
        std::mem::swap(&mut self.book.out, out);
        self.fall_due();
        match event {
            // It would never give back what it gets, and nobody is there to hear the answer.
            Event::Ask { holder, .. } | Event::Withdraw { holder, .. } if self.gone.contains(&holder) => {}
            Event::Ask { holder, request, what } => self.ask(Call { holder, request }, what),
            Event::Withdraw { holder, request } => self.withdraw(Call { holder, request }),
            Event::HolderGone(holder) => self.holder_gone(holder),
            Event::Tick => {}
        }
        std::mem::swap(&mut self.book.out, out);
    }

    /// When something happens that nobody says: until then no [`Event::Tick`] is needed. Later than the last `now`.
    pub fn next_deadline(&self) -> Option<Tick> {
        self.book.deadlines.first().map(|(when, _)| *when)
    }

    fn ask(&mut self, call: Call, what: Ask) {
        if let Some(answer) = self.perform(call, what).transpose() {
            self.book.answer(call, answer);
        }
    }

    fn perform(&mut self, call: Call, what: Ask) -> Outcome {
        if self.book.is_in_use(call) {
            let what = format!("holder {} used the number {} for a second call", call.holder.0, call.request.0);
            return Err(Failure::internal(what));
        }
        limits::check_name(what.name())?;
        let book = &mut self.book;
        match what {
            Ask::Lock(name, ask) => self.locks.ask(book, call, name, ask),
            Ask::Semaphore(name, ask) => self.semaphores.ask(book, call, name, ask),
            Ask::Event(name, ask) => self.events.ask(book, call, name, ask),
            Ask::Variable(name, ask) => self.variables.ask(book, call, name, ask),
            Ask::Queue(name, ask) => self.queues.ask(book, call, name, ask),
            Ask::Topic(name, ask) => self.topics.ask(book, call.holder, name, ask),
        }
    }

    fn withdraw(&mut self, call: Call) {
        if self.leave(call) {
            self.book.answer(call, Ok(Answer::Withdrawn));
        } else if let Some(held) = self.book.held_by(call) {
            self.give_back(held);
        }
    }

    /// Waits end before anything is given back, so that nothing is given to who is gone.
    fn holder_gone(&mut self, holder: HolderId) {
        self.gone.insert(holder);
        if self.gone.len() > REMEMBERED {
            self.gone.pop_first();
        }
        let Some(record) = self.book.holders.get(&holder) else { return };
        let requests: Vec<_> = record.waits.keys().copied().collect();
        let holds: Vec<_> = record.holds.values().cloned().collect();
        let topics: Vec<_> = record.topics.iter().cloned().collect();
        for request in requests {
            self.leave(Call { holder, request });
        }
        holds.into_iter().for_each(|held| self.give_back(held));
        topics.iter().for_each(|topic| self.topics.unsubscribe(&mut self.book, holder, topic));
    }

    fn give_back(&mut self, held: Held) {
        match held {
            Held::Lock(name) => self.locks.pass_on(&mut self.book, &name),
            Held::Lease(lease, name) => self.semaphores.end(&mut self.book, &name, lease),
        }
    }

    /// Takes a call out of the line in which it waits. False when it waits in none.
    fn leave(&mut self, call: Call) -> bool {
        let Some((ticket, place)) = self.book.wait_of(call) else { return false };
        let book = &mut self.book;
        match place {
            Place::Lock(name) => self.locks.leave(book, &name, ticket),
            Place::Semaphore(name) => self.semaphores.leave(book, &name, ticket),
            Place::Event(name) => self.events.leave(book, &name, ticket),
            Place::Variable(name) => self.variables.leave(book, &name, ticket),
            Place::Queue(name) => self.queues.leave(book, &name, ticket),
        }
        true
    }

    fn fall_due(&mut self) {
        while let Some(due) = self.book.pop_due() {
            match due {
                Due::Lease(lease, name) => self.semaphores.expire(&mut self.book, &name, lease),
                Due::Wait(_, call) => {
                    self.leave(call);
                    self.book.answer(call, Ok(Answer::TimedOut));
                }
            }
        }
    }
}
