//! What waits in the simulator's queue. Plain data with a short text, so that a failing seed can tell what happened.

use std::fmt;
use std::sync::Arc;

use partita_core::protocol::{Attempt, ClientId, Ending, Gone, Piece, RunId, ToScheduler, ToWorker, WorkerEvent, WorkerId};
use partita_graph::{Chunk, Graph, Key, Outcome};

use crate::agree::Step;

/// What comes again and again until the faults stop, to a worker or client at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Death,
    Retire,
    Cut,
    Stop,
    Client,
    Restart,
    Copies,
}

impl Trouble {
    pub const ALL: [Trouble; 7] =
        [Trouble::Death, Trouble::Retire, Trouble::Cut, Trouble::Stop, Trouble::Client, Trouble::Restart, Trouble::Copies];
}

/// Something that happens at a moment of virtual time.
pub(crate) enum Happening {
    ToWorker(WorkerId, ToWorker),
    ToScheduler(WorkerId, ToScheduler),
    /// An answer of a worker's own shell is said a second time. It never waits in the queue.
    Again(WorkerId, WorkerEvent),
    /// An operator ended.
    Ended(WorkerId, Key, Attempt, Box<Outcome>, u64),
    /// An operator has come to the place where it waits inside, or to its end.
    Halts(WorkerId, Key, Attempt),
    /// It goes on.
    Resumes(WorkerId, Key, Attempt),
    /// Request number so and so reached the peer.
    Asked {
        by: WorkerId,
        from: WorkerId,
        request: u64,
    },
    /// A piece arrived, or word that the peer has no such piece.
    Arrived {
        by: WorkerId,
        request: u64,
        piece: Piece,
        chunk: Option<Chunk>,
    },
    /// The peer serves too many others: the rest of the request is refused.
    Refused {
        by: WorkerId,
        request: u64,
    },
    /// The connection is closed: the rest of the request has failed.
    Closed {
        by: WorkerId,
        request: u64,
    },
    Written(WorkerId, Key),
    Read(WorkerId, Key),
    Measure(WorkerId),
    WorkerTick(WorkerId),
    Tick,
    /// It is as late as the scheduler's machine wanted to be told.
    Wake,
    Submit(RunId, ClientId, Arc<Graph>, Ending),
    /// The user lost interest: cancelled when true, released otherwise.
    Leave(RunId, bool),
    /// The user lost interest in these keys.
    Forget(RunId, Vec<Key>),
    /// A client looks again for what it could not read.
    Look(ClientId),
    Trouble(Trouble),
    /// The scheduler's shell notices that a process is gone.
    Noticed(WorkerId, Gone),
    /// The scheduler's shell notices that break number so and so of a link is there.
    LinkNoticed(WorkerId, u32),
    /// The break is over, and so is the stop that caused it.
    Mended(WorkerId, u32),
    /// The break has lasted too long.
    GivenUp(WorkerId, u32),
    /// A worker that was given up learns of it, and ends.
    Ends(WorkerId),
    ClientBack(ClientId),
    /// Whoever wanted the worker to retire waits no longer.
    Stay(WorkerId),
    /// A worker joins: one of this name, or of any that is free.
    Join {
        name: Option<String>,
        repeat: bool,
    },
    /// Something between the coordination machine and those who ask it.
    Agrees(Step),
    /// The client of an actor makes it, or its next call.
    Acts(usize),
    FaultsStop,
}

impl Happening {
    /// The worker's process that this happens in.
    pub fn place(&self) -> Option<WorkerId> {
        match self {
            Happening::ToWorker(w, _)
            | Happening::Again(w, _)
            | Happening::Ended(w, ..)
            | Happening::Halts(w, ..)
            | Happening::Resumes(w, ..)
            | Happening::Asked { from: w, .. }
            | Happening::Arrived { by: w, .. }
            | Happening::Refused { by: w, .. }
            | Happening::Closed { by: w, .. }
            | Happening::Written(w, _)
            | Happening::Read(w, _)
            | Happening::Measure(w)
            | Happening::WorkerTick(w) => Some(*w),
            Happening::Agrees(step) => step.place(),
            _ => None,
        }
    }

    /// Only time passes: by itself it brings nothing new.
    pub fn is_idle(&self) -> bool {
        matches!(self, Happening::Tick | Happening::WorkerTick(_) | Happening::Measure(_))
    }
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
            Happening::Again(w, event) => write!(f, "w{} again {event:?}", w.0),
            Happening::Ended(w, key, attempt, outcome, _) => {
                write!(f, "w{} ends {key:?} try {attempt} {}", w.0, if outcome.result.is_ok() { "well" } else { "badly" })
            }
            Happening::Halts(w, key, attempt) => write!(f, "w{} comes to a wait or the end of {key:?} try {attempt}", w.0),
            Happening::Resumes(w, key, attempt) => write!(f, "w{} goes on with {key:?} try {attempt}", w.0),
            Happening::Asked { by, from, request } => write!(f, "w{} asks w{} in request {request}", by.0, from.0),
            Happening::Arrived { by, request, piece, chunk } => {
                write!(f, "w{} {} {piece:?} of request {request}", by.0, if chunk.is_some() { "receives" } else { "does not get" })
            }
            Happening::Refused { by, request } => write!(f, "w{} is refused request {request}", by.0),
            Happening::Closed { by, request } => write!(f, "w{} has lost request {request}", by.0),
            Happening::Written(w, key) => write!(f, "w{} wrote {key:?}", w.0),
            Happening::Read(w, key) => write!(f, "w{} read {key:?}", w.0),
            Happening::Measure(w) => write!(f, "w{} measures", w.0),
            Happening::WorkerTick(w) => write!(f, "w{} ticks", w.0),
            Happening::Tick => f.write_str("scheduler ticks"),
            Happening::Wake => f.write_str("scheduler wakes"),
            Happening::Submit(run, client, _, ending) => write!(f, "client {} submits run {}, {ending:?}", client.0, run.0),
            Happening::Leave(run, cancel) => write!(f, "{} run {}", if *cancel { "cancel" } else { "release" }, run.0),
            Happening::Forget(run, keys) => write!(f, "forget {keys:?} of run {}", run.0),
            Happening::Look(client) => write!(f, "client {} looks again", client.0),
            Happening::Trouble(kind) => write!(f, "trouble: {kind:?}"),
            Happening::Noticed(w, reason) => write!(f, "w{} is noticed to be gone: {reason:?}", w.0),
            Happening::LinkNoticed(w, _) => write!(f, "the link of w{} is noticed to be broken", w.0),
            Happening::Mended(w, _) => write!(f, "the link of w{} is mended", w.0),
            Happening::GivenUp(w, _) => write!(f, "w{} is given up", w.0),
            Happening::Ends(w) => write!(f, "w{} ends", w.0),
            Happening::Stay(w) => write!(f, "nobody waits any longer for w{} to retire", w.0),
            Happening::ClientBack(c) => write!(f, "client {} is back", c.0),
            Happening::Join { name, .. } => write!(f, "worker {} joins", name.as_deref().unwrap_or("of any name")),
            Happening::Agrees(step) => step.fmt(f),
            Happening::Acts(actor) => write!(f, "the client of actor {actor} goes on"),
            Happening::FaultsStop => f.write_str("faults stop"),
        }
    }
}
