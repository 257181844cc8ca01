//! How much the coordination machine takes in, and how it refuses what is too much.

use std::sync::Arc;

use partita_core::coordination::limits::*;
use partita_core::coordination::{
    Action, Answer, Ask, Bytes, Coordination, Event, EventAsk, HolderId, LeaseId, LockAsk, Name, OwnerId, QueueAsk, RequestId,
    SemaphoreAsk, TopicAsk, VariableAsk,
};
use partita_graph::{Code, Failure};

/// A machine and the numbers of its callers.
#[derive(Default)]
struct Desk {
    machine: Coordination,
    now: u64,
    requests: u64,
}

impl Desk {
    /// The answer to a call, if it has one at once.
    fn call(&mut self, holder: u64, what: Ask) -> Option<Result<Answer, Failure>> {
        self.requests += 1;
        let (holder, request) = (HolderId(holder), RequestId(self.requests));
        let mut out = Vec::new();
        self.machine.handle(self.now, Event::Ask { holder, request, what }, &mut out);
        out.into_iter().rev().find_map(|action| match action {
            Action::Answer { holder: to, request: of, answer } if (to, of) == (holder, request) => Some(answer),
            Action::Answer { .. } | Action::Deliver { .. } | Action::Warn(_) => None,
        })
    }

    #[track_caller]
    fn accepts(&mut self, holder: u64, what: Ask) -> Answer {
        self.call(holder, what).expect("an answer at once").expect("no refusal")
    }

    #[track_caller]
    fn refuses(&mut self, holder: u64, what: Ask, code: Code, words: &str) {
        let failure = self.call(holder, what).expect("an answer at once").expect_err("a refusal");
        assert!(failure.code == code && failure.what.contains(words) && failure.help.is_some(), "{failure}");
    }
}

fn lock(name: Name) -> Ask {
    Ask::Lock(name, LockAsk::Acquire { owner: OwnerId(0), timeout: None })
}

fn acquire(name: Name) -> Ask {
    Ask::Semaphore(name, SemaphoreAsk::Acquire { max_leases: 1, lease: 1, timeout: None })
}

fn raise(name: Name) -> Ask {
    Ask::Event(name, EventAsk::Set)
}

fn set(name: Name) -> Ask {
    set_to(name, 0)
}

fn set_to(name: Name, len: usize) -> Ask {
    Ask::Variable(name, VariableAsk::Set(zeros(len)))
}

fn put(name: Name) -> Ask {
    put_of(name, 0)
}

fn put_of(name: Name, len: usize) -> Ask {
    Ask::Queue(name, QueueAsk::Put { value: zeros(len), maxsize: 0, timeout: None })
}

fn subscribe(name: Name) -> Ask {
    Ask::Topic(name, TopicAsk::Subscribe)
}

fn zeros(len: usize) -> Bytes {
    vec![0; len].into()
}

#[test]
fn names_have_a_length() {
    let mut desk = Desk::default();
    for ask in [lock, acquire, raise, set, put, subscribe] {
        desk.refuses(1, ask("".into()), Code::InvalidOption, "without a name");
        desk.refuses(1, ask("é".repeat(MAX_NAME / 2 + 1).into()), Code::TooLarge, "has 258 bytes, at most 256");
        desk.accepts(1, ask("é".repeat(MAX_NAME / 2).into()));
    }
}

#[test]
fn values_have_a_size() {
    let mut desk = Desk::default();
    let long = || zeros(MAX_VALUE + 1);
    for what in [
        Ask::Variable("a".into(), VariableAsk::Set(long())),
        Ask::Queue("a".into(), QueueAsk::Put { value: long(), maxsize: 0, timeout: None }),
        Ask::Queue("a".into(), QueueAsk::PutBack { values: vec![zeros(1), long()], maxsize: 0 }),
        Ask::Topic("a".into(), TopicAsk::Publish(long())),
    ] {
        desk.refuses(1, what, Code::TooLarge, "has 4194305 bytes, at most 4194304");
    }
    desk.accepts(1, set_to("a".into(), MAX_VALUE));
}

#[test]
fn values_together_have_a_size() {
    let mut desk = Desk::default();
    let fitting = MAX_BYTES / (MAX_VALUE as u64 + VALUE_COST);
    let large: Bytes = zeros(MAX_VALUE);
    let set_large = |n: u64| Ask::Variable(format!("{n}").into(), VariableAsk::Set(Arc::clone(&large)));
    let put_large = || QueueAsk::Put { value: Arc::clone(&large), maxsize: 1, timeout: None };
    for n in 1..fitting {
        desk.accepts(1, set_large(n));
    }
    desk.accepts(1, Ask::Queue("q".into(), put_large()));
    let full = "more would pass the limit of 268435456";
    desk.refuses(1, set_large(fitting), Code::CoordinationFull, full);
    // Not even to wait for room.
    desk.refuses(1, Ask::Queue("q".into(), put_large()), Code::CoordinationFull, full);
    desk.refuses(1, Ask::Queue("r".into(), put_large()), Code::CoordinationFull, full);
    let back = QueueAsk::PutBack { values: vec![Arc::clone(&large)], maxsize: 1 };
    desk.refuses(1, Ask::Queue("r".into(), back), Code::CoordinationFull, full);
    // What replaces a value takes its place, and what is handed over takes none.
    desk.accepts(1, set_large(1));
    assert_eq!(desk.call(2, Ask::Queue("r".into(), QueueAsk::Get { timeout: None })), None);
    desk.accepts(1, Ask::Queue("r".into(), put_large()));
    desk.accepts(1, Ask::Variable("1".into(), VariableAsk::Delete));
    assert_eq!(desk.call(1, Ask::Queue("q".into(), put_large())), None);
    desk.refuses(1, set_large(1), Code::CoordinationFull, full);
    // The waiting value is counted once when it comes in, and not any more when it was taken.
    desk.accepts(1, Ask::Queue("q".into(), QueueAsk::Get { timeout: None }));
    desk.accepts(1, Ask::Queue("q".into(), QueueAsk::Get { timeout: None }));
    desk.accepts(1, set_large(1));
    desk.accepts(1, set_large(fitting));
    desk.refuses(1, set_large(0), Code::CoordinationFull, full);
    desk.machine.check();
}

#[test]
fn objects_of_a_kind_have_a_number() {
    type Kind = (fn(Name) -> Ask, &'static str);
    let kinds: [Kind; 6] =
        [(lock, "locks"), (acquire, "semaphores"), (raise, "events"), (set, "variables"), (put, "queues"), (subscribe, "topics")];
    let mut desk = Desk::default();
    for (holder, (ask, kind)) in kinds.into_iter().enumerate() {
        for n in 0..MAX_OBJECTS {
            desk.accepts(holder as u64, ask(format!("{n}").into()));
        }
        desk.refuses(99, ask("one more".into()), Code::CoordinationFull, &format!("there are 65536 {kind} already"));
    }
    let wait = Ask::Event("one more".into(), EventAsk::Wait { timeout: None });
    desk.refuses(99, wait, Code::CoordinationFull, "there are 65536 events already");
    // What there is stays usable, and what goes makes room.
    assert_eq!(desk.call(99, lock("7".into())), None);
    desk.accepts(0, Ask::Lock("8".into(), LockAsk::Release { owner: OwnerId(0) }));
    desk.accepts(99, lock("one more".into()));
    desk.accepts(99, Ask::Event("8".into(), EventAsk::Clear));
    desk.accepts(99, raise("one more".into()));
    desk.machine.check();
}

#[test]
fn a_holder_has_a_number_of_things() {
    let mut desk = Desk::default();
    desk.accepts(2, lock("a".into()));
    for n in 2..MAX_HELD {
        desk.accepts(1, subscribe(format!("{n}").into()));
    }
    desk.accepts(1, lock("b".into()));
    assert_eq!(desk.call(1, lock("a".into())), None);
    let full = "this process holds and waits for 65536 things already";
    for what in [lock("c".into()), acquire("c".into()), subscribe("c".into()), Ask::Event("c".into(), EventAsk::Wait { timeout: None })] {
        desk.refuses(1, what, Code::CoordinationFull, full);
    }
    // What waits keeps its room when it is served, so nothing has to be refused later.
    desk.accepts(2, Ask::Lock("a".into(), LockAsk::Release { owner: OwnerId(0) }));
    desk.refuses(1, lock("c".into()), Code::CoordinationFull, full);
    desk.accepts(1, Ask::Lock("a".into(), LockAsk::Release { owner: OwnerId(0) }));
    desk.accepts(1, lock("c".into()));
    desk.accepts(2, lock("d".into()));
    desk.machine.check();
}

#[test]
fn a_batch_fits_into_one_answer() {
    let mut desk = Desk::default();
    let count = MAX_BATCH / MAX_VALUE;
    for _ in 0..=count {
        desk.accepts(1, put_of("q".into(), MAX_VALUE));
    }
    desk.accepts(1, put_of("q".into(), 1));
    let all = || Ask::Queue("q".into(), QueueAsk::GetBatch { count: None, timeout: None });
    for expected in [count, 2] {
        let Answer::Values(values) = desk.accepts(1, all()) else { panic!("values") };
        assert_eq!(values.len(), expected);
    }
    desk.machine.check();
}

#[test]
fn a_semaphore_remembers_a_number_of_expired_leases() {
    let mut desk = Desk::default();
    for _ in 0..=MAX_EXPIRED {
        desk.accepts(1, acquire("s".into()));
        desk.now += 1;
    }
    let refresh = |lease| Ask::Semaphore("s".into(), SemaphoreAsk::Refresh(LeaseId(lease)));
    desk.refuses(1, refresh(1), Code::NotHeld, "lease 1 of semaphore `s` is not known");
    assert_eq!(desk.accepts(1, refresh(2)), Answer::Expired);
    desk.machine.check();
}
