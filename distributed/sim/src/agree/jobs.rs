//! What threads do with what processes agree on. Few names for many threads, so that they meet.

use std::collections::VecDeque;

use fastrand::Rng;
use partita_core::coordination::{Ask, Bytes, EventAsk, LockAsk, Name, OwnerId, QueueAsk, SemaphoreAsk, TopicAsk, VariableAsk};
use partita_core::protocol::Tick;

const LOCKS: [&str; 2] = ["lock1", "lock2"];
/// The number of leases ends the name, and so does the size of a queue.
const SEMAPHORES: [&str; 2] = ["semaphore1", "semaphore3"];
const QUEUES: [&str; 2] = ["queue0", "queue2"];

/// One thing that a thread does, and for how long it keeps what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub what: Ask,
    pub keeps: Tick,
    /// Its lease is refreshed in time, unless the link is broken.
    pub refreshes: bool,
    /// Gives the call up after so long.
    pub patience: Option<Tick>,
}

/// The number that ends a name.
pub(crate) fn number_in(name: &Name) -> u32 {
    name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
}

/// Some jobs of a thread; values are filled in when they are asked for.
pub(crate) fn random_jobs(rng: &mut Rng) -> VecDeque<Job> {
    (0..rng.u32(1..8)).map(|_| random_job(rng)).collect()
}

/// The name of some lock.
pub(crate) fn random_lock(rng: &mut Rng) -> Name {
    LOCKS[rng.usize(0..LOCKS.len())].into()
}

fn random_job(rng: &mut Rng) -> Job {
    let timeout = match rng.u32(0..6) {
        0 => Some(0),
        1 | 2 => Some(rng.u64(1..6_000)),
        _ => None,
    };
    let what = match rng.u32(0..20) {
        0..=4 => Ask::Lock(random_lock(rng), LockAsk::Acquire { owner: OwnerId::default(), timeout }),
        5..=8 => {
            let name: Name = SEMAPHORES[rng.usize(0..SEMAPHORES.len())].into();
            let (max_leases, lease) = (number_in(&name), rng.u64(300..8_000));
            Ask::Semaphore(name, SemaphoreAsk::Acquire { max_leases, lease, timeout })
        }
        9..=14 => random_of_queue(rng, timeout),
        15 | 16 => Ask::Event("event".into(), random_of_event(rng, timeout)),
        17 => Ask::Variable("variable".into(), random_of_variable(rng, timeout)),
        _ => Ask::Topic("topic".into(), random_of_topic(rng)),
    };
    let patience = (rng.f64() < 0.2).then(|| rng.u64(0..8_000));
    Job { what, keeps: rng.u64(0..6_000), refreshes: rng.f64() < 0.8, patience }
}

/// What is filled in when it is asked.
fn nothing() -> Bytes {
    Bytes::from([])
}

fn random_of_queue(rng: &mut Rng, timeout: Option<Tick>) -> Ask {
    let name: Name = QUEUES[rng.usize(0..QUEUES.len())].into();
    let what = match rng.u32(0..10) {
        0..=5 => QueueAsk::Put { value: nothing(), maxsize: number_in(&name), timeout },
        6 | 7 => QueueAsk::Get { timeout },
        8 => QueueAsk::GetBatch { count: Some(rng.u32(1..4)), timeout },
        _ => QueueAsk::GetBatch { count: None, timeout },
    };
    Ask::Queue(name, what)
}

fn random_of_event(rng: &mut Rng, timeout: Option<Tick>) -> EventAsk {
    match rng.u32(0..4) {
        0 => EventAsk::Set,
        1 => EventAsk::Clear,
        _ => EventAsk::Wait { timeout },
    }
}

fn random_of_variable(rng: &mut Rng, timeout: Option<Tick>) -> VariableAsk {
    match rng.u32(0..5) {
        0 => VariableAsk::Delete,
        1 | 2 => VariableAsk::Set(nothing()),
        _ => VariableAsk::Get { timeout },
    }
}

fn random_of_topic(rng: &mut Rng) -> TopicAsk {
    match rng.u32(0..5) {
        0 | 1 => TopicAsk::Subscribe,
        2 => TopicAsk::Unsubscribe,
        _ => TopicAsk::Publish(nothing()),
    }
}
