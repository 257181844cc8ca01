//! Everything that the two machines say and hear. Plain data: no chunk, clock, thread or socket is in here.
//!
//! Each machine has one `Event` (what happened) and one `Action` (what the shell must do). Messages between the machines
//! are [`ToWorker`] and [`ToScheduler`]; a shell may delay, double or lose them together with the worker, but delivers the
//! messages of one sender to one receiver in order.

mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_graph::{Failure, Graph, Key, Layer, Milli};
use serde::{Deserialize, Serialize};
pub use worker::{WorkerAction, WorkerEvent};

/// Microseconds since the shell started. Only differences have a meaning.
pub type Tick = u64;

/// A worker as the scheduler numbers it. A number is never used for a second process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct WorkerId(pub u32);

/// One submitted graph and the interest in its results.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// How the wanted keys of a run end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Ending {
    /// As one: the first task that fails fails the run, and it is done when all wanted keys are stored.
    #[default]
    Together,
    /// One by one: each wanted key is done or has failed by itself, and the others go on.
    Each,
}

/// Somebody who submits graphs. A number is never used for a second client. Number 0 is the process that the machine runs
/// in, and whatever is published: it never goes away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ClientId(pub u64);

/// A chunk, or one part of it.
pub type Piece = (Key, Option<u32>);

/// What is known of a worker when it joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Unique among the connected workers; restrictions name it.
    pub name: String,
    /// The host it runs on: restrictions may name it, and copies from the same host are preferred.
    pub host: String,
    /// How many tasks it runs at a time.
    pub threads: u32,
    /// Bytes of memory that it may use; 0 for no limit.
    pub memory_limit: u64,
    /// What it offers, in thousandths.
    pub resources: BTreeMap<String, Milli>,
}

impl About {
    /// A worker of so many threads without a limit, called `name`, on a host of the same name.
    pub fn plain(name: &str, threads: u32) -> Self {
        Self { name: name.into(), host: name.into(), threads, memory_limit: 0, resources: BTreeMap::new() }
    }
}

/// Which try of a task, from 1. A message that carries an old attempt is dropped at the door.
pub type Attempt = u32;

/// One chunk that a task reads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Input {
    /// The chunk.
    pub key: Key,
    /// The part of it that is read, when it is a shuffle's split.
    pub part: Option<u32>,
    /// Size of the whole chunk in bytes.
    pub nbytes: u64,
    /// Who has it. Empty when the receiving worker has it itself.
    pub holders: Vec<WorkerId>,
}

/// A task given to a worker.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The task.
    pub key: Key,
    /// Which try.
    pub attempt: Attempt,
    /// Its layer: kernel and arguments.
    pub layer: Arc<Layer>,
    /// Its inputs, one list for each edge of the layer, in the order of the wiring.
    pub inputs: Vec<Vec<Input>>,
    /// Lower runs first; by it a worker orders what is ready.
    pub priority: u64,
    /// Expected bytes of the result, learned from the layer's finished tasks.
    pub expected: u64,
    /// A run waits for the chunk as a result: when it is small, its bytes travel with the answer.
    pub inline: bool,
    /// The try is stopped and fails after so many microseconds.
    pub timeout: Option<u64>,
}

impl Assignment {
    /// An assignment of a first try without wishes.
    pub fn new(key: Key, layer: Arc<Layer>, inputs: Vec<Vec<Input>>) -> Self {
        Self { key, attempt: 1, layer, inputs, priority: 0, expected: 0, inline: false, timeout: None }
    }
}

/// From the scheduler to one worker.
#[derive(Clone, Debug)]
pub enum ToWorker {
    /// Gather the inputs, run the task, keep the result, say so.
    Assign(Assignment),
    /// Drop these chunks; nobody needs them.
    Free(Vec<Key>),
    /// The result of this try is no longer wanted: do not start it, tell it to stop if it runs. Answered with `Ended` as soon as it
    /// occupies nothing any more; until then the scheduler counts its resources as taken.
    Abandon(Key, Attempt),
    /// Another worker could take this try: give it back with `Retracted` unless it has started; then say `Kept`.
    Retract(Key, Attempt),
    /// Fetch a copy of a chunk and keep it. Answer with `Replicated` or `AcquireFailed`.
    Acquire {
        /// The chunk.
        key: Key,
        /// Its size in bytes.
        nbytes: u64,
        /// Who has it.
        holders: Vec<WorkerId>,
    },
    /// A peer is gone: what was asked of it will never come.
    PeerGone(WorkerId),
    /// The answer to `WhoHas`.
    Holders {
        /// The chunk.
        key: Key,
        /// Some of those who have it, the best first; the one that was asked before may be among them.
        holders: Vec<WorkerId>,
    },
}

/// From a worker to the scheduler.
#[derive(Clone, Debug, PartialEq)]
pub enum ToScheduler {
    /// The task ran and its chunk is stored here.
    Finished {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// Size of the result.
        nbytes: u64,
        /// How long the operator ran, in microseconds.
        micros: u64,
        /// Remarks for the user.
        notes: Vec<String>,
        /// The encoded value, when the assignment asked for it and it is small.
        value: Option<Arc<[u8]>>,
    },
    /// The task ran and failed.
    Failed {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// Why.
        failure: Failure,
    },
    /// The task starts. Sent for second and later tries only: by it the scheduler knows whom to blame when this worker dies
    /// too, and the usual first try costs no message.
    Started {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
    },
    /// The operator of the try waits inside for other tasks: until `Resumes` it occupies no thread, though its memory and its
    /// resources, and it is not given back. Neither is said of a try that was abandoned or timed out.
    Waits(Key, Attempt),
    /// The operator goes on and occupies a thread again.
    Resumes(Key, Attempt),
    /// The running operator of the try says how far it is. For people only, and said a few times a second at most.
    Told {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// So much is done, in its own unit.
        done: u64,
        /// Of so much.
        total: u64,
    },
    /// An input could not be had from any holder that the assignment named: the try is given back.
    MissingInput {
        /// The task.
        key: Key,
        /// Which try.
        attempt: Attempt,
        /// The chunk that is not there.
        input: Key,
        /// Who was asked for it in vain; empty when it should have been here.
        asked: Vec<WorkerId>,
    },
    /// All whom this worker would ask for the chunk serve too many others. Answered with `Holders` when more than one has it by now.
    WhoHas(Key),
    /// A chunk was fetched from a peer and is kept here too.
    Replicated(Key),
    /// The try was not started and is forgotten here: the answer to `Retract`, or said unasked by a worker that paused. A paused
    /// worker on which nothing runs keeps one try and starts it: it is given another only when no worker is awake.
    Retracted(Key, Attempt),
    /// The answer to `Retract` when the try has started, has ended or was never here.
    Kept(Key, Attempt),
    /// The try has no thread here (any more). Said once for each `Abandon`, at once or when the operator has returned, and when
    /// the operator of a try that was reported as timed out has returned: only then are its thread and its resources free.
    Ended(Key, Attempt),
    /// The answer to `Acquire` when no holder could be reached, when the chunk cannot be sent or understood, or when this worker is
    /// paused and takes nothing.
    AcquireFailed {
        /// The chunk.
        key: Key,
        /// Who turned out not to have it; empty when that is not why.
        asked: Vec<WorkerId>,
    },
    /// A chunk that was stored here can no longer be read (its spill file is gone or damaged), or it was dropped as it was told to be
    /// after a `Replicated` that may have crossed that word. It means nothing where this worker is not counted as a holder.
    Lost(Key),
    /// What the worker holds, for people and for placement.
    Memory {
        /// Bytes of chunks in memory.
        managed: u64,
        /// Bytes of chunks on disk.
        spilled: u64,
        /// Bytes that were ever written to disk for want of memory: what was written before a result is said before the result.
        spilled_total: u64,
        /// True while it starts nothing because memory is full.
        paused: bool,
        /// Resident memory of the process in bytes, 0 when it was not measured.
        rss: u64,
    },
}

/// Why a worker is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gone {
    /// Its process died: tasks that were executing are suspects.
    Died {
        /// What was executing, when somebody saw it; otherwise it is inferred from what the worker was given.
        executing: Option<Vec<(Key, Attempt)>>,
        /// How it died, for people: a signal, a memory limit that was passed. May be empty.
        why: String,
    },
    /// It left on request: nobody is blamed.
    Retired,
    /// It could not be reached for too long: nobody is blamed.
    Unreachable,
}

impl Gone {
    /// A death that nobody saw.
    pub fn died() -> Self {
        Self::Died { executing: None, why: String::new() }
    }
}

/// What can happen to the scheduler.
#[derive(Clone, Debug)]
pub enum SchedulerEvent {
    /// A worker arrived, empty.
    Joined {
        /// Its number, new.
        worker: WorkerId,
        /// What it is and offers.
        about: About,
    },
    /// Messages to and from the worker are held up. It keeps what it has and goes on; nothing new is given to it.
    LinkLost(WorkerId),
    /// The messages flow again, none was lost.
    LinkBack(WorkerId),
    /// Move what only this worker has to others, give it nothing more, and say `Retired` when it may go.
    Retire(WorkerId),
    /// Whoever wanted the worker to retire waits no longer: it serves again, and `CannotRetire` says what it still has, unless it was
    /// told that it may go, or was not to go at all.
    Stay(WorkerId),
    /// A worker is gone; nothing from it will be heard any more, and what is still heard is stale.
    WorkerGone {
        /// Which.
        worker: WorkerId,
        /// Why.
        reason: Gone,
    },
    /// Compute the wanted keys of the graph and keep them until the run is released.
    Submit {
        /// A new number, chosen by the shell.
        run: RunId,
        /// Who wants it.
        client: ClientId,
        /// Already validated and optimized.
        graph: Arc<Graph>,
        /// Whether its wanted keys end as one or one by one.
        ending: Ending,
    },
    /// Single keys of a run are no longer wanted: tasks that it alone needs for them are stopped or never begun, and chunks that
    /// nobody else wants are dropped. Nothing more is said of these keys, and for [`SchedulerAction::RunDone`] they count as ended.
    /// Without any wanted key left the run still waits for its release. Keys that it does not want (any more) are no fault.
    Forget {
        /// Of which run.
        run: RunId,
        /// The keys.
        keys: Vec<Key>,
    },
    /// The run is no longer wanted; what it alone wanted is stopped and dropped. Nothing more is said of the run.
    Cancel(RunId),
    /// Its results are no longer wanted.
    Release(RunId),
    /// A client cannot be heard. After the grace period its runs are released.
    ClientLost(ClientId),
    /// It is back; nothing was lost.
    ClientBack(ClientId),
    /// It said goodbye: its runs are released now.
    ClientGone(ClientId),
    /// All runs end as cancelled, of whatever client, and everything is forgotten but the workers.
    Restart,
    /// Keep at least so many copies of these chunks while they are wanted.
    Replicate {
        /// The chunks.
        keys: Vec<Key>,
        /// Copies in all.
        copies: u32,
    },
    /// Move stored chunks from full workers to empty ones.
    Rebalance,
    /// A worker says something.
    Said(WorkerId, ToScheduler),
    /// Time passed; sent about ten times a second while anything waits.
    Tick,
    /// It is as late as [`Scheduler::wakes`](crate::scheduler::Scheduler::wakes) said.
    Wake,
}

/// What the scheduler wants done.
#[derive(Clone, Debug)]
pub enum SchedulerAction {
    /// Deliver to a worker.
    Send(WorkerId, ToWorker),
    /// All wanted keys of the run are stored, or, where they end one by one, have an end. Said again when some were lost
    /// afterwards and have been made once more.
    RunDone(RunId),
    /// The run failed as a whole; it holds no chunk any more. Its failure is remembered until it is released. A run whose keys end
    /// one by one fails so only when it is not let in or everything is cancelled, and then keys without an end fail with it.
    RunFailed(RunId, Failure),
    /// A wanted key of a run whose keys end one by one is stored. Said again when it was lost afterwards and has been made
    /// once more.
    KeyDone {
        /// Whose result it is.
        run: RunId,
        /// The key.
        key: Key,
    },
    /// Wanted keys of such a run cannot be made: a task failed for good that each of them is or needs. The run does not want them
    /// any more, and why they failed is remembered until they are forgotten or the run is released. It can come after `KeyDone`: for
    /// a key that was lost and could not be made again.
    KeysFailed {
        /// Whose results they were.
        run: RunId,
        /// The keys, each once.
        keys: Vec<Key>,
        /// The same for all of them.
        failure: Failure,
    },
    /// The value of a wanted key, said before the `RunDone` and the `KeyDone` that count it, when it is small.
    Value {
        /// Whose result it is.
        run: RunId,
        /// The key.
        key: Key,
        /// As the worker encoded it.
        value: Arc<[u8]>,
    },
    /// The worker holds nothing that others do not have, and runs nothing: it may go.
    Retired(WorkerId),
    /// The worker cannot go, and serves again.
    CannotRetire(WorkerId, String),
    /// The grace period of a lost client is over, and its runs are released.
    ClientForgotten(ClientId),
    /// A remark for the user of the run, each text once for a run.
    Note(RunId, String),
    /// The peer broke the protocol; close the connection and report it as gone.
    Disconnect(WorkerId, &'static str),
}
