//! What waits in the simulator's queue. Plain data with a short text, so that a failing seed can tell what happened.

use std::fmt;
use std::sync::Arc;

use partita_core::protocol::{Attempt, Gone, RunId, ToScheduler, ToWorker, WorkerEvent, WorkerId};
use partita_graph::{Chunk, Graph, Key, Outcome};

/// Something that happens at a moment of virtual time.
pub(crate) enum Happening {
    ToWorker(WorkerId, ToWorker),
    ToScheduler(WorkerId, ToScheduler),
    /// An answer of a worker's own shell that changes nothing in its store.
    Answer(WorkerId, WorkerEvent),
    /// An operator ended.
    Ended(WorkerId, Key, Attempt, Box<Outcome>, u64),
    /// A request for a chunk reached the peer.
    Asked {
        by: WorkerId,
        from: WorkerId,
        key: Key,
        part: Option<u32>,
    },
    /// A chunk arrived.
    Arrived(WorkerId, Key, Option<u32>, Chunk),
    Written(WorkerId, Key),
    Read(WorkerId, Key),
    Measure(WorkerId),
    Submit(RunId, Arc<Graph>),
    /// The user lost interest: cancelled when true, released otherwise.
    Leave(RunId, bool),
    /// A worker, any, goes away.
    Death,
    Noticed(WorkerId, Gone),
    Join {
        repeat: bool,
    },
    FaultsStop,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Happening::ToWorker(w, ToWorker::Assign(a)) => {
                let inputs: Vec<String> = a.inputs.iter().flatten().map(|i| format!("{:?}/{:?}@{:?}", i.key, i.part, i.holders)).collect();
                write!(f, "w{} hears assign {:?} try {} {}", w.0, a.key, a.attempt, inputs.join(" "))
            }
            Happening::ToWorker(w, message) => write!(f, "w{} hears {message:?}", w.0),
            Happening::ToScheduler(w, message) => write!(f, "scheduler hears from w{} {message:?}", w.0),
            Happening::Answer(w, event) => write!(f, "w{} {event:?}", w.0),
            Happening::Ended(w, key, attempt, outcome, _) => {
                write!(f, "w{} ends {key:?} try {attempt} {}", w.0, if outcome.result.is_ok() { "well" } else { "badly" })
            }
            Happening::Asked { by, from, key, part } => write!(f, "w{} asks w{} for {key:?}/{part:?}", by.0, from.0),
            Happening::Arrived(w, key, part, _) => write!(f, "w{} receives {key:?}/{part:?}", w.0),
            Happening::Written(w, key) => write!(f, "w{} wrote {key:?}", w.0),
            Happening::Read(w, key) => write!(f, "w{} read {key:?}", w.0),
            Happening::Measure(w) => write!(f, "w{} measures", w.0),
            Happening::Submit(run, _) => write!(f, "submit run {}", run.0),
            Happening::Leave(run, cancel) => write!(f, "{} run {}", if *cancel { "cancel" } else { "release" }, run.0),
            Happening::Death => f.write_str("a worker goes away"),
            Happening::Noticed(w, reason) => write!(f, "w{} is noticed to be gone: {reason:?}", w.0),
            Happening::Join { .. } => f.write_str("a worker joins"),
            Happening::FaultsStop => f.write_str("faults stop"),
        }
    }
}
