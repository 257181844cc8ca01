//! One question to whoever holds the objects, and the wait for its answer.
//!
//! It refuses to know what is asked. Invariants: a task that is cancelled while it waits withdraws its question, so that nobody is given a
//! lock or a lease that nobody will use; values of a queue that come too late for that go back to where they were.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use partita_core::coordination::{Answer, Ask, Bytes, Name, QueueAsk};
use partita_graph::Failure;

use crate::client::{Client, Told};

type Outcome = Result<Answer, Failure>;

/// What asker and answerer share.
#[derive(Default)]
struct Call {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    Answered(Outcome),
    /// Nobody waits any more.
    Over,
}

impl Call {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer is there. Comes back when nobody waits for it.
    fn answer(&self, outcome: Outcome) -> Option<Outcome> {
        let mut state = self.state();
        match &*state {
            State::Open => {
                *state = State::Answered(outcome);
                drop(state);
                self.bell.notify_all();
                None
            }
            State::Answered(_) | State::Over => Some(outcome),
        }
    }

    /// The answer, if it is there.
    fn take(&self) -> Option<Outcome> {
        Self::take_from(&mut self.state())
    }

    fn take_from(state: &mut State) -> Option<Outcome> {
        match std::mem::replace(state, State::Over) {
            State::Answered(outcome) => Some(outcome),
            other => {
                *state = other;
                None
            }
        }
    }

    fn wait(&self, given_up: &dyn Fn() -> bool) -> Option<Outcome> {
        let mut state = self.state();
        loop {
            if let Some(outcome) = Self::take_from(&mut state) {
                return Some(outcome);
            }
            if given_up() {
                return None;
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody waits from now on; the answer, when it came just before.
    fn give_up(&self) -> Option<Outcome> {
        match std::mem::replace(&mut *self.state(), State::Over) {
            State::Answered(outcome) => Some(outcome),
            State::Open | State::Over => None,
        }
    }

    fn ring(&self) {
        // Who looked before and sleeps now is woken; who looks later sees it.
        drop(self.state());
        self.bell.notify_all();
    }
}

/// How values are given back that came when nobody waited for them any more.
#[derive(Clone)]
pub(super) struct Back {
    client: Client,
    name: Name,
    maxsize: u32,
}

impl Back {
    fn put(&self, late: Outcome) {
        let values: Vec<Bytes> = match late {
            Ok(Answer::Value(value)) => vec![value],
            Ok(Answer::Values(values)) => values,
            Ok(_) | Err(_) => return,
        };
        let back = QueueAsk::PutBack { values, maxsize: self.maxsize };
        self.client.desk_ask(Ask::Queue(self.name.clone(), back), Box::new(drop));
    }
}

/// Answers a call once; one whose question is dropped is answered too.
struct Teller {
    call: Option<Arc<Call>>,
    back: Option<Back>,
}

impl Teller {
    fn tell(mut self, outcome: Outcome) {
        let late = self.call.take().and_then(|call| call.answer(outcome));
        if let (Some(late), Some(back)) = (late, &self.back) {
            back.put(late);
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            drop(call.answer(Err(Failure::internal("a question was dropped without an answer"))));
        }
    }
}

impl Client {
    /// Asks whoever holds the objects, and waits for the answer. A task that waits gives its slot up.
    ///
    /// # Errors
    /// What was asked is refused; the scheduler is gone (E0221); the task that asks is cancelled (E0203) or may not wait (E0237).
    pub(super) fn coordinate(&self, what: Ask) -> Outcome {
        self.asked(None, |told| self.desk_ask(what, told))
    }

    /// The same of what takes values out of a queue of this size: they go back when they come too late.
    pub(super) fn take_from_queue(&self, name: &Name, maxsize: u32, what: QueueAsk) -> Outcome {
        let back = Back { client: self.clone(), name: name.clone(), maxsize };
        self.asked(Some(back), |told| self.desk_ask(Ask::Queue(name.clone(), what), told))
    }

    /// Waits for the answer to a question; `ask` asks it and says its number.
    pub(super) fn asked(&self, back: Option<Back>, ask: impl FnOnce(Told) -> u64) -> Outcome {
        let call = Arc::new(Call::default());
        let teller = Teller { call: Some(call.clone()), back: back.clone() };
        let number = ask(Box::new(move |outcome| teller.tell(outcome)));
        // In this process most answers are there already, and a slot need not be given up for them.
        if let Some(outcome) = call.take() {
            return outcome;
        }
        let rung = call.clone();
        match partita_local::wait_inside(move || rung.ring(), |given_up| call.wait(given_up)) {
            Ok(outcome) => outcome,
            Err(failure) => {
                if let (Some(late), Some(back)) = (call.give_up(), &back) {
                    back.put(late);
                }
                self.desk_withdraw(number);
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_core::coordination::LockAsk;

    #[test]
    fn an_answer_is_taken_once_or_comes_back() {
        let call = Call::default();
        assert!(call.take().is_none());
        assert!(call.answer(Ok(Answer::Done)).is_none());
        assert_eq!(call.take(), Some(Ok(Answer::Done)));
        assert_eq!(call.answer(Ok(Answer::TimedOut)), Some(Ok(Answer::TimedOut)));
        let given_up = Call::default();
        assert!(given_up.give_up().is_none());
        assert_eq!(given_up.answer(Ok(Answer::Done)), Some(Ok(Answer::Done)));
    }

    #[test]
    fn a_question_that_is_dropped_is_answered() {
        let client = Client::builder().threads(1).set_as_default(false).build().expect("a local engine starts");
        let dropped = client.asked(None, |told| {
            drop(told);
            0
        });
        assert!(dropped.is_err());
        let held = client.coordinate(Ask::Lock("call".into(), LockAsk::IsHeld)).expect("answered");
        assert_eq!(held, Answer::Truth(false));
    }

    #[test]
    fn values_that_come_too_late_are_in_the_queue_again() {
        let client = Client::builder().threads(1).set_as_default(false).build().expect("a local engine starts");
        let name: Name = "late".into();
        let back = Back { client: client.clone(), name: name.clone(), maxsize: 0 };
        let call = Arc::new(Call::default());
        let teller = Teller { call: Some(call.clone()), back: Some(back) };
        assert!(call.give_up().is_none());
        teller.tell(Ok(Answer::Value([1, 2].into())));
        assert_eq!(client.coordinate(Ask::Queue(name, QueueAsk::Size)).expect("answered"), Answer::Count(1));
    }
}
