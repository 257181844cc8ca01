//! Events: what one waits for until somebody says that it has happened.
//!
//! It refuses to count: setting twice is setting once. Invariant: an event exists exactly while it is set or waited for, never both.

use std::collections::BTreeMap;

use super::book::{Book, Call, Line, Outcome, Place, Ticket};
use super::check::Found;
use super::limits::check_objects;
use super::protocol::{Answer, EventAsk, Name};
use super::snapshot::EventView;
use crate::protocol::Tick;

#[derive(Default)]
pub(super) struct Events(BTreeMap<Name, Flag>);

enum Flag {
    Set,
    Awaited(Line<()>),
}

impl Events {
    pub fn ask(&mut self, book: &mut Book, call: Call, name: Name, ask: EventAsk) -> Outcome {
        match ask {
            EventAsk::Set => self.set(book, name),
            EventAsk::Clear => {
                if self.is_set(&name) {
                    self.0.remove(&name);
                }
                Ok(Some(Answer::Done))
            }
            EventAsk::Wait { timeout } => self.wait(book, call, name, timeout),
            EventAsk::IsSet => Ok(Some(Answer::Truth(self.is_set(&name)))),
        }
    }

    fn is_set(&self, name: &Name) -> bool {
        matches!(self.0.get(name), Some(Flag::Set))
    }

    fn set(&mut self, book: &mut Book, name: Name) -> Outcome {
        if !self.0.contains_key(&name) {
            check_objects(self.0.len(), "events")?;
        }
        if let Some(Flag::Awaited(mut line)) = self.0.insert(name, Flag::Set) {
            while let Some(waiter) = line.serve(book) {
                book.answer(waiter.call, Ok(Answer::Done));
            }
        }
        Ok(Some(Answer::Done))
    }

    fn wait(&mut self, book: &mut Book, call: Call, name: Name, timeout: Option<Tick>) -> Outcome {
        match self.0.get_mut(&name) {
            Some(Flag::Set) => Ok(Some(Answer::Done)),
            Some(Flag::Awaited(line)) => line.join(book, call, Place::Event(name), timeout, ()),
            None if timeout == Some(0) => Ok(Some(Answer::TimedOut)),
            None => {
                check_objects(self.0.len(), "events")?;
                let mut line = Line::default();
                let outcome = line.join(book, call, Place::Event(name.clone()), timeout, ())?;
                self.0.insert(name, Flag::Awaited(line));
                Ok(outcome)
            }
        }
    }

    /// A call that waited gives up.
    pub fn leave(&mut self, book: &mut Book, name: &Name, ticket: Ticket) {
        let Some(Flag::Awaited(line)) = self.0.get_mut(name) else { unreachable!("one waits for an event that is not set") };
        line.leave(book, ticket);
        if line.is_empty() {
            self.0.remove(name);
        }
    }

    pub fn check(&self, found: &mut Found) {
        for (name, flag) in &self.0 {
            if let Flag::Awaited(line) = flag {
                assert!(!line.is_empty(), "event {name} is neither set nor waited for");
                found.waiting(line, &Place::Event(name.clone()));
            }
        }
    }

    pub fn view(&self) -> Vec<EventView> {
        let view = |(name, flag): (&Name, &Flag)| match flag {
            Flag::Set => EventView { name: name.clone(), set: true, waiting: Vec::new() },
            Flag::Awaited(line) => EventView { name: name.clone(), set: false, waiting: line.holders() },
        };
        self.0.iter().map(view).collect()
    }
}
