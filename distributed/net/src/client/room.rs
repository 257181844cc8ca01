//! What a plan may count on: threads and memory of the workers, as they were last heard of.
//!
//! It refuses to know plans. Invariant: a thread of a runtime, which has others to serve, waits for the scheduler only where nothing was ever heard;
//! every other thread is told what was so at most a second ago.

use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_graph::Failure;
use tokio::runtime::Handle;

use super::remote::{Inner, Remote, locked};
use crate::message::{Answer, Question, WorkerInfo};

/// How old what is known of the workers may be.
const AGE: Duration = Duration::from_secs(1);

/// What a plan may count on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Room {
    /// Of all workers.
    pub threads: usize,
    /// Bytes for each thread of the worker that has the least.
    pub memory_per_thread: Option<u64>,
}

impl Room {
    fn of(workers: &[WorkerInfo]) -> Self {
        let limited = workers.iter().map(|worker| &worker.about).filter(|about| about.memory_limit > 0);
        Self {
            threads: workers.iter().map(|worker| worker.about.threads as usize).sum(),
            memory_per_thread: limited.map(|about| about.memory_limit / u64::from(about.threads.max(1))).min(),
        }
    }
}

/// What was heard of the workers.
#[derive(Default)]
pub(super) struct Heard {
    room: Room,
    at: Option<Instant>,
    /// Whether somebody asks who does not wait for it.
    asked: bool,
}

/// What to do for who wants to know.
#[derive(PartialEq, Eq, Debug)]
enum Next {
    /// What is known is new.
    Take(Room),
    /// To ask, and to take this meanwhile.
    TakeAndAsk(Room),
    /// To ask and to wait.
    Wait,
}

impl Heard {
    fn next(&mut self, now: Instant, may_wait: bool) -> Next {
        let is_new = self.at.is_some_and(|at| now.saturating_duration_since(at) < AGE);
        if self.at.is_none() || (may_wait && !is_new) {
            return Next::Wait;
        }
        // Only who finds that nobody asks does it.
        if is_new || std::mem::replace(&mut self.asked, true) { Next::Take(self.room) } else { Next::TakeAndAsk(self.room) }
    }

    /// What was asked was answered; where it was not, all is as it was.
    fn hear(&mut self, said: Option<Room>, now: Instant) -> Room {
        self.room = said.unwrap_or(self.room);
        (self.at, self.asked) = (Some(now), false);
        self.room
    }
}

impl Inner {
    /// Takes over what a scheduler says, whatever it was asked for.
    pub(super) fn hear_room(&self, answered: &Result<Answer, Failure>) -> Room {
        let room = match answered {
            Ok(Answer::Info(info)) => Some(Room::of(&info.workers)),
            _ => None,
        };
        locked(&self.room).hear(room, Instant::now())
    }
}

impl Remote {
    pub(super) fn room(&self) -> Room {
        let inner = self.inner();
        let next = locked(&inner.room).next(Instant::now(), Handle::try_current().is_err());
        match next {
            Next::Take(room) => room,
            Next::Wait => inner.hear_room(&inner.ask(Question::Info)),
            Next::TakeAndAsk(room) => {
                let told = Arc::downgrade(inner);
                let hear = move |answered: Result<Answer, Failure>| {
                    if let Some(inner) = told.upgrade() {
                        inner.hear_room(&answered);
                    }
                };
                inner.ask_then(Question::Info, Box::new(hear));
                room
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_wait_takes_what_was_heard_last_and_asks_once() {
        let (old, new) = (Room { threads: 2, memory_per_thread: None }, Room { threads: 4, memory_per_thread: Some(8) });
        let (mut heard, start) = (Heard::default(), Instant::now());
        assert_eq!((heard.next(start, false), heard.next(start, true)), (Next::Wait, Next::Wait), "nothing was ever heard");
        assert_eq!(heard.hear(Some(old), start), old);
        assert_eq!((heard.next(start, false), heard.next(start, true)), (Next::Take(old), Next::Take(old)));
        let later = start + AGE;
        assert_eq!([heard.next(later, false), heard.next(later, false)], [Next::TakeAndAsk(old), Next::Take(old)]);
        assert_eq!(heard.next(later, true), Next::Wait);
        assert_eq!(heard.hear(Some(new), later), new);
        assert_eq!(heard.next(later, false), Next::Take(new));
        let last = later + AGE;
        assert_eq!(heard.next(last, false), Next::TakeAndAsk(new));
        assert_eq!(heard.hear(None, last), new, "a scheduler that does not answer changes nothing");
        assert_eq!(heard.next(last + AGE, false), Next::TakeAndAsk(new), "and is asked again");
    }
}
