//! The coordination machine of a process without a cluster: locks, semaphores, events, variables, queues and topics for its own
//! threads.
//!
//! It refuses to know what is agreed on. Invariants: every call that is not dropped hears its answer; answers are handed out after the
//! lock is free; the thread that watches deadlines lives only while there are some.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partita_core::coordination::{Action, Answer, Ask, Bytes, Coordination, Event, HolderId, Name, RequestId};
use partita_core::protocol::Tick;
use partita_graph::Failure;

use crate::listeners::Listeners;

/// All threads of the process are one holder; owners within it are told apart by [`partita_core::coordination::OwnerId`].
const HERE: HolderId = HolderId(0);

type Told = Box<dyn FnOnce(Result<Answer, Failure>) + Send>;

/// The desk. Clones are the same one.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    bell: Condvar,
    started: Instant,
    listeners: Listeners,
}

#[derive(Default)]
struct State {
    machine: Coordination,
    next: u64,
    waiting: HashMap<RequestId, Told>,
    /// A thread watches deadlines.
    watched: bool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                state: Mutex::default(),
                bell: Condvar::new(),
                started: Instant::now(),
                listeners: Listeners::default(),
            }),
        }
    }
}

/// What is to be done once the lock is free.
#[derive(Default)]
struct Todo {
    answers: Vec<(Told, Result<Answer, Failure>)>,
    deliveries: Vec<(Name, Bytes)>,
    warnings: Vec<String>,
}

impl Todo {
    fn perform(self, listeners: &Listeners) {
        for (told, answer) in self.answers {
            told(answer);
        }
        for (topic, message) in self.deliveries {
            listeners.hear(&topic, &message);
        }
        for warning in self.warnings {
            eprintln!("warning: {warning}");
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Tick {
        self.started.elapsed().as_micros() as Tick
    }
}

impl State {
    fn handle(&mut self, now: Tick, event: Event) -> Todo {
        let mut out = Vec::new();
        self.machine.handle(now, event, &mut out);
        let mut todo = Todo::default();
        for action in out {
            match action {
                Action::Answer { request, answer, .. } => todo.answers.extend(self.waiting.remove(&request).map(|told| (told, answer))),
                Action::Deliver { topic, message, .. } => todo.deliveries.push((topic, message)),
                Action::Warn(text) => todo.warnings.push(text),
            }
        }
        todo
    }
}

impl Desk {
    /// Asks; `told` is called once with the answer, perhaps at once, and must not block. The number is for [`Desk::withdraw`].
    pub fn ask(&self, what: Ask, told: impl FnOnce(Result<Answer, Failure>) + Send + 'static) -> RequestId {
        let mut state = self.inner.state();
        state.next += 1;
        let request = RequestId(state.next);
        state.waiting.insert(request, Box::new(told));
        let todo = state.handle(self.inner.now(), Event::Ask { holder: HERE, request, what });
        self.watch(&mut state);
        drop(state);
        todo.perform(&self.inner.listeners);
        request
    }

    /// Gives a call up: it is answered as withdrawn, unless it was answered already.
    pub fn withdraw(&self, request: RequestId) {
        let todo = self.inner.state().handle(self.inner.now(), Event::Withdraw { holder: HERE, request });
        todo.perform(&self.inner.listeners);
    }

    /// Who listens to which topic; that a topic is subscribed to is asked besides.
    pub fn listeners(&self) -> &Listeners {
        &self.inner.listeners
    }

    /// What there is, for people.
    pub fn snapshot(&self) -> partita_core::coordination::Snapshot {
        self.inner.state().machine.snapshot()
    }

    /// Starts a thread when something falls due by itself and nobody watches.
    fn watch(&self, state: &mut State) {
        if state.machine.next_deadline().is_none() {
            return;
        }
        if std::mem::replace(&mut state.watched, true) {
            self.inner.bell.notify_one();
            return;
        }
        let inner = self.inner.clone();
        let watching = std::thread::Builder::new().name("partita-desk".into()).spawn(move || watch(&inner));
        // Without a thread the next call sees what has fallen due.
        state.watched = watching.is_ok();
    }
}

fn watch(inner: &Inner) {
    let mut state = inner.state();
    loop {
        let Some(deadline) = state.machine.next_deadline() else {
            state.watched = false;
            return;
        };
        let now = inner.now();
        if deadline > now {
            let left = Duration::from_micros(deadline - now);
            state = inner.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        let todo = state.handle(now, Event::Tick);
        drop(state);
        todo.perform(&inner.listeners);
        state = inner.state();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_core::coordination::{LockAsk, OwnerId, TopicAsk};
    use std::sync::mpsc;

    fn ask(desk: &Desk, what: Ask) -> (RequestId, mpsc::Receiver<Result<Answer, Failure>>) {
        let (sender, receiver) = mpsc::channel();
        // The test may have ended.
        (desk.ask(what, move |answer| drop(sender.send(answer))), receiver)
    }

    fn acquire(owner: u64, timeout: Option<Tick>) -> Ask {
        Ask::Lock("l".into(), LockAsk::Acquire { owner: OwnerId(owner), timeout })
    }

    #[test]
    fn threads_wait_for_each_other_and_for_time() {
        let desk = Desk::default();
        assert_eq!(ask(&desk, acquire(1, None)).1.recv().expect("told"), Ok(Answer::Done));
        assert_eq!(ask(&desk, acquire(2, Some(1_000))).1.recv().expect("told"), Ok(Answer::TimedOut));
        let (_, third) = ask(&desk, acquire(3, None));
        assert!(third.try_recv().is_err(), "the first one has it");
        let release = Ask::Lock("l".into(), LockAsk::Release { owner: OwnerId(1) });
        assert_eq!(ask(&desk, release).1.recv().expect("told"), Ok(Answer::Done));
        assert_eq!(third.recv().expect("told"), Ok(Answer::Done));
        let (given_up, fourth) = ask(&desk, acquire(4, None));
        desk.withdraw(given_up);
        assert_eq!(fourth.recv().expect("told"), Ok(Answer::Withdrawn));
    }

    #[test]
    fn listeners_hear_what_is_published_while_they_listen() {
        let desk = Desk::default();
        let topic: Name = "t".into();
        let (sender, heard) = mpsc::channel();
        let number = desk.listeners().listen(&topic, Box::new(move |message| drop(sender.send(message))));
        ask(&desk, Ask::Topic(topic.clone(), TopicAsk::Subscribe)).1.recv().expect("told").expect("fine");
        let publish = || ask(&desk, Ask::Topic(topic.clone(), TopicAsk::Publish([1, 2].into()))).1.recv().expect("told");
        assert_eq!(publish(), Ok(Answer::Count(1)));
        assert_eq!(&*heard.recv().expect("told"), [1, 2]);
        assert!(desk.listeners().ignore(&topic, number), "it was the only one");
        publish().expect("fine");
        assert!(heard.try_recv().is_err());
    }
}
