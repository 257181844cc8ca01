//! Locks: one owner at a time, the others in the order of asking.
//!
//! It refuses to let an owner wait for itself, and to take a lock back from who does not have it. Invariant: a lock exists exactly
//! while somebody has it.

use std::collections::BTreeMap;

use partita_graph::{Code, Failure};

use super::book::{Book, Call, Held, Line, Outcome, Place, Ticket};
use super::check::Found;
use super::limits::check_objects;
use super::protocol::{Answer, LockAsk, Name, OwnerId};
use super::snapshot::LockView;
use crate::protocol::Tick;

#[derive(Default)]
pub(super) struct Locks(BTreeMap<Name, Lock>);

struct Lock {
    /// The call that brought it.
    by: Call,
    owner: OwnerId,
    line: Line<OwnerId>,
}

impl Locks {
    pub fn ask(&mut self, book: &mut Book, call: Call, name: Name, ask: LockAsk) -> Outcome {
        match ask {
            LockAsk::Acquire { owner, timeout } => self.acquire(book, call, name, owner, timeout),
            LockAsk::Release { owner } => self.release(book, call, &name, owner),
            LockAsk::IsHeld => Ok(Some(Answer::Truth(self.0.contains_key(&name)))),
        }
    }

    fn acquire(&mut self, book: &mut Book, call: Call, name: Name, owner: OwnerId, timeout: Option<Tick>) -> Outcome {
        if let Some(lock) = self.0.get_mut(&name) {
            if (lock.by.holder, lock.owner) == (call.holder, owner) {
                let what = format!("lock `{name}` is held by who asks for it, and waiting for oneself never ends");
                return Err(Failure::new(Code::AlreadyHeld, what)
                    .help("release it first, or hand the guard on to what needs it: locks are not re-entrant"));
            }
            return lock.line.join(book, call, Place::Lock(name), timeout, owner);
        }
        check_objects(self.0.len(), "locks")?;
        book.check_holder(call.holder)?;
        book.change(call.holder, |holder| {
            holder.holds.insert(call.request, Held::Lock(name.clone()));
        });
        self.0.insert(name, Lock { by: call, owner, line: Line::default() });
        Ok(Some(Answer::Done))
    }

    fn release(&mut self, book: &mut Book, call: Call, name: &Name, owner: OwnerId) -> Outcome {
        let who = match self.0.get(name) {
            Some(lock) if (lock.by.holder, lock.owner) == (call.holder, owner) => {
                self.pass_on(book, name);
                return Ok(Some(Answer::Done));
            }
            Some(lock) => format!("held by another (holder {}, owner {})", lock.by.holder.0, lock.owner.0),
            None => "held by nobody".into(),
        };
        let what = format!("lock `{name}` cannot be released: it is {who}; it was released before, or never acquired");
        Err(Failure::new(Code::NotHeld, what).help("release once for each acquire, by who acquired; a guard does that by itself"))
    }

    /// Its owner has it no more: it goes to who waits longest, or ceases to exist.
    pub fn pass_on(&mut self, book: &mut Book, name: &Name) {
        let lock = self.0.get_mut(name).expect("whatever is held exists");
        let before = lock.by;
        book.change(before.holder, |holder| {
            holder.holds.remove(&before.request);
        });
        let Some(waiter) = lock.line.serve(book) else {
            self.0.remove(name);
            return;
        };
        (lock.by, lock.owner) = (waiter.call, waiter.wants);
        book.change(waiter.call.holder, |holder| {
            holder.holds.insert(waiter.call.request, Held::Lock(name.clone()));
        });
        book.answer(waiter.call, Ok(Answer::Done));
    }

    /// A call that waited gives up.
    pub fn leave(&mut self, book: &mut Book, name: &Name, ticket: Ticket) {
        self.0.get_mut(name).expect("one waits for what exists").line.leave(book, ticket);
    }

    pub fn check(&self, found: &mut Found) {
        for (name, lock) in &self.0 {
            found.holding(lock.by, Held::Lock(name.clone()));
            found.waiting(&lock.line, &Place::Lock(name.clone()));
        }
    }

    pub fn view(&self) -> Vec<LockView> {
        let view = |(name, lock): (&Name, &Lock)| LockView {
            name: name.clone(),
            holder: lock.by.holder,
            owner: lock.owner,
            waiting: lock.line.holders(),
        };
        self.0.iter().map(view).collect()
    }
}
