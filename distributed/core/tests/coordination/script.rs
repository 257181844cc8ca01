//! Scripts for the coordination machine: a line is an event, `=>`, and what the machine must answer to it, parts separated by `; `.
//!
//! `1.2 lock a within 5` is call 2 of holder 1. A line may begin with `after <micros>`, which lets time pass first. A line without `=>`
//! expects that nothing is said.

use std::collections::BTreeSet;

use partita_core::coordination::{
    Action, Answer, Ask, Bytes, Coordination, Event, EventAsk, HolderId, LeaseId, LockAsk, Name, OwnerId, QueueAsk, RequestId,
    SemaphoreAsk, Snapshot, TopicAsk, VariableAsk,
};
use partita_graph::Failure;

/// Microseconds for which a lease is valid when a script does not say it.
const LEASE: u64 = 100;

/// Runs a script; at its end every holder goes, and nothing of them may be left.
#[track_caller]
pub fn check(script: &str) {
    let mut machine = Coordination::new();
    let (mut now, mut holders) = (0, BTreeSet::new());
    for line in script.lines().map(str::trim) {
        let (said, expected) = line.split_once("=>").unwrap_or((line, ""));
        let mut words: Vec<&str> = said.split_whitespace().collect();
        if words[0] == "after" {
            now += number(words[1]);
            words.drain(..2);
        }
        let event = event(&words);
        if let Event::Ask { holder, .. } = &event {
            holders.insert(*holder);
        }
        let mut out = Vec::new();
        machine.handle(now, event, &mut out);
        machine.check();
        let found = out.iter().map(show).collect::<Vec<_>>().join("; ");
        assert_eq!(found, expected.trim(), "{line}");
    }
    for holder in holders {
        machine.handle(now, Event::HolderGone(holder), &mut Vec::new());
        machine.check();
    }
    assert_nobody(&machine.snapshot());
    assert_eq!(machine.next_deadline(), None);
}

/// Values and set events may be left, holders and waiters not.
#[track_caller]
pub fn assert_nobody(left: &Snapshot) {
    let held = left.locks.is_empty() && left.semaphores.is_empty() && left.topics.is_empty();
    let events = left.events.iter().all(|event| event.set && event.waiting.is_empty());
    let variables = left.variables.iter().all(|variable| variable.nbytes.is_some() && variable.waiting.is_empty());
    let queues = left.queues.iter().all(|queue| queue.items > 0 && queue.getting.is_empty() && queue.putting.is_empty());
    assert!(held && events && variables && queues, "{left:?}");
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

fn bytes(text: &str) -> Bytes {
    text.as_bytes().into()
}

/// The word after `label`, if the label is there.
fn after<'a>(words: &[&'a str], label: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == label).map(|at| words[at + 1])
}

/// The event that a line describes.
pub fn event(words: &[&str]) -> Event {
    match words {
        ["tick"] => Event::Tick,
        ["gone", holder] => Event::HolderGone(HolderId(number(holder))),
        [caller, rest @ ..] => {
            let (holder, request) = caller.split_once('.').unwrap_or_else(|| panic!("{caller:?} is no holder and call"));
            let (holder, request) = (HolderId(number(holder)), RequestId(number(request)));
            match rest {
                ["withdraw"] => Event::Withdraw { holder, request },
                _ => Event::Ask { holder, request, what: ask(rest) },
            }
        }
        [] => panic!("an empty line is no event"),
    }
}

fn ask(words: &[&str]) -> Ask {
    let name: Name = words[1].into();
    let timeout = after(words, "within").map(number);
    let owner = OwnerId(after(words, "owner").map_or(0, number));
    let maxsize = after(words, "max").map_or(0, |text| number(text) as u32);
    match words {
        ["lock", ..] => Ask::Lock(name, LockAsk::Acquire { owner, timeout }),
        ["unlock", ..] => Ask::Lock(name, LockAsk::Release { owner }),
        ["locked", _] => Ask::Lock(name, LockAsk::IsHeld),
        ["acquire", _, "of", max, ..] => {
            let lease = after(words, "for").map_or(LEASE, number);
            Ask::Semaphore(name, SemaphoreAsk::Acquire { max_leases: number(max) as u32, lease, timeout })
        }
        ["refresh", _, lease] => Ask::Semaphore(name, SemaphoreAsk::Refresh(LeaseId(number(lease)))),
        ["release", _, lease] => Ask::Semaphore(name, SemaphoreAsk::Release(LeaseId(number(lease)))),
        ["value", _] => Ask::Semaphore(name, SemaphoreAsk::Value),
        ["close", _] => Ask::Semaphore(name, SemaphoreAsk::Close),
        ["raise", _] => Ask::Event(name, EventAsk::Set),
        ["lower", _] => Ask::Event(name, EventAsk::Clear),
        ["wait", ..] => Ask::Event(name, EventAsk::Wait { timeout }),
        ["raised", _] => Ask::Event(name, EventAsk::IsSet),
        ["set", _, value] => Ask::Variable(name, VariableAsk::Set(bytes(value))),
        ["get", ..] => Ask::Variable(name, VariableAsk::Get { timeout }),
        ["delete", _] => Ask::Variable(name, VariableAsk::Delete),
        ["put", _, value, ..] => Ask::Queue(name, QueueAsk::Put { value: bytes(value), maxsize, timeout }),
        ["take", ..] => Ask::Queue(name, QueueAsk::Get { timeout }),
        ["batch", _, "all", ..] => Ask::Queue(name, QueueAsk::GetBatch { count: None, timeout }),
        ["batch", _, count, ..] => Ask::Queue(name, QueueAsk::GetBatch { count: Some(number(count) as u32), timeout }),
        ["back", _, values, ..] => Ask::Queue(name, QueueAsk::PutBack { values: values.split(',').map(bytes).collect(), maxsize }),
        ["size", _] => Ask::Queue(name, QueueAsk::Size),
        ["subscribe", _] => Ask::Topic(name, TopicAsk::Subscribe),
        ["unsubscribe", _] => Ask::Topic(name, TopicAsk::Unsubscribe),
        ["publish", _, message] => Ask::Topic(name, TopicAsk::Publish(bytes(message))),
        _ => panic!("nobody asks {words:?}"),
    }
}

fn text(value: &Bytes) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn show(action: &Action) -> String {
    match action {
        Action::Answer { holder, request, answer } => format!("{}.{} {}", holder.0, request.0, show_answer(answer)),
        Action::Deliver { holder, topic, message } => format!("{} hears {topic}: {}", holder.0, text(message)),
        Action::Warn(warning) => format!("warn: {warning}"),
    }
}

fn show_answer(answer: &Result<Answer, Failure>) -> String {
    match answer {
        Ok(Answer::Done) => "done".into(),
        Ok(Answer::TimedOut) => "timed out".into(),
        Ok(Answer::Withdrawn) => "withdrawn".into(),
        Ok(Answer::Lease(lease)) => format!("lease {}", lease.0),
        Ok(Answer::Expired) => "expired".into(),
        Ok(Answer::Oversubscribed { taken, max_leases }) => format!("over {taken}/{max_leases}"),
        Ok(Answer::Truth(true)) => "yes".into(),
        Ok(Answer::Truth(false)) => "no".into(),
        Ok(Answer::Count(count)) => format!("count {count}"),
        Ok(Answer::Value(value)) => format!("value {}", text(value)),
        Ok(Answer::Values(values)) => format!("values {}", values.iter().map(text).collect::<Vec<_>>().join(",")),
        Err(failure) => format!("{} {}", failure.code, failure.what),
    }
}
