//! Variables: one value that everybody may read and replace.
//!
//! It refuses to remember what a value was before. Invariant: a variable exists exactly while it has a value or is waited for, never
//! both.

use std::collections::BTreeMap;

use super::book::{Book, Call, Line, Outcome, Place, Ticket};
use super::check::Found;
use super::limits::{check_objects, check_value, cost};
use super::protocol::{Answer, Bytes, Name, VariableAsk};
use super::snapshot::VariableView;
use crate::protocol::Tick;

#[derive(Default)]
pub(super) struct Variables(BTreeMap<Name, Variable>);

enum Variable {
    Set(Bytes),
    Awaited(Line<()>),
}

impl Variables {
    pub fn ask(&mut self, book: &mut Book, call: Call, name: Name, ask: VariableAsk) -> Outcome {
        match ask {
            VariableAsk::Set(value) => self.set(book, name, value),
            VariableAsk::Get { timeout } => self.get(book, call, name, timeout),
            VariableAsk::Delete => {
                if let Some(Variable::Set(value)) = self.0.get(&name) {
                    book.let_go(value);
                    self.0.remove(&name);
                }
                Ok(Some(Answer::Done))
            }
        }
    }

    fn set(&mut self, book: &mut Book, name: Name, value: Bytes) -> Outcome {
        check_value(&value)?;
        let before = match self.0.get(&name) {
            Some(Variable::Set(before)) => cost(before),
            Some(Variable::Awaited(_)) => 0,
            None => {
                check_objects(self.0.len(), "variables")?;
                0
            }
        };
        book.check_bytes(cost(&value).saturating_sub(before))?;
        book.bytes -= before;
        book.keep(&value);
        if let Some(Variable::Awaited(mut line)) = self.0.insert(name, Variable::Set(value.clone())) {
            while let Some(waiter) = line.serve(book) {
                book.answer(waiter.call, Ok(Answer::Value(value.clone())));
            }
        }
        Ok(Some(Answer::Done))
    }

    fn get(&mut self, book: &mut Book, call: Call, name: Name, timeout: Option<Tick>) -> Outcome {
        match self.0.get_mut(&name) {
            Some(Variable::Set(value)) => Ok(Some(Answer::Value(value.clone()))),
            Some(Variable::Awaited(line)) => line.join(book, call, Place::Variable(name), timeout, ()),
            None if timeout == Some(0) => Ok(Some(Answer::TimedOut)),
            None => {
                check_objects(self.0.len(), "variables")?;
                let mut line = Line::default();
                let outcome = line.join(book, call, Place::Variable(name.clone()), timeout, ())?;
                self.0.insert(name, Variable::Awaited(line));
                Ok(outcome)
            }
        }
    }

    /// A call that waited gives up.
    pub fn leave(&mut self, book: &mut Book, name: &Name, ticket: Ticket) {
        let Some(Variable::Awaited(line)) = self.0.get_mut(name) else { unreachable!("one waits for a variable without a value") };
        line.leave(book, ticket);
        if line.is_empty() {
            self.0.remove(name);
        }
    }

    pub fn check(&self, found: &mut Found) {
        for (name, variable) in &self.0 {
            match variable {
                Variable::Set(value) => found.keeping(value),
                Variable::Awaited(line) => {
                    assert!(!line.is_empty(), "variable {name} has no value and is not waited for");
                    found.waiting(line, &Place::Variable(name.clone()));
                }
            }
        }
    }

    pub fn view(&self) -> Vec<VariableView> {
        let view = |(name, variable): (&Name, &Variable)| match variable {
            Variable::Set(value) => VariableView { name: name.clone(), nbytes: Some(value.len() as u64), waiting: Vec::new() },
            Variable::Awaited(line) => VariableView { name: name.clone(), nbytes: None, waiting: line.holders() },
        };
        self.0.iter().map(view).collect()
    }
}
