//! The worker's machine: what is fetched, started, spilled and dropped.
//!
//! It refuses to know chunks, files, peers' addresses and threads: it counts bytes and says what must be done. A task goes
//!
//! ```text
//! Gathering{missing} -> Ready -> Loading{missing} -> Executing -> (its chunk is held)
//! ```
//!
//! (a task whose key's older chunk is on its way out waits before Loading, `Blocked`), and a chunk is in memory, on its way to disk, on disk, or on its way back. A task is given back from any of these places
//! by one path, and whether its result is still wanted (`abandoned`) stands beside its phase. Memory is reserved before a
//! task runs; a chunk in use is pinned and neither spilled nor dropped. Whether the operator of a task waits inside for other tasks
//! (`waits`) stands beside its phase too: then it has no thread here, and others run in its place. Something always moves: when
//! nothing runs and nothing is on its way, the first ready task starts whatever the memory. This file dispatches only.
//!
//! ```
//! use partita_core::worker::{Config, Worker};
//! let worker = Worker::new(Config::new(4, 1 << 30));
//! assert_eq!(worker.snapshot().managed, 0);
//! ```

mod check;
mod config;
mod deadline;
mod fetch;
mod gather;
mod inside;
mod memory;
mod peers;
mod pressure;
mod retain;
mod snapshot;
mod spill;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use config::Config;
use memory::{Held, Memory};
use partita_graph::Key;
use peers::Gather;
use pressure::Pressure;
pub use snapshot::Snapshot;
use spill::Disk;

use crate::protocol::{Assignment, Input, Piece, Tick, ToWorker, WorkerAction, WorkerEvent};

/// The machine.
pub struct Worker {
    config: Config,
    /// Tasks that were given and did not end.
    tasks: BTreeMap<Key, Task>,
    /// Tasks in phase Ready, by priority.
    ready: BTreeSet<(u64, Key)>,
    /// Tasks in phase Loading or Executing that do not wait inside: each has a thread.
    running: u32,
    /// Tasks in phase Executing that wait inside for other tasks.
    waiting: u32,
    /// The first ready task, while it waits for memory.
    claim: Option<Claim>,
    /// Running tries that may run only so long, by the end of their time.
    deadlines: BTreeSet<(Tick, Key)>,
    chunks: BTreeMap<Key, Held>,
    parts: BTreeMap<(Key, u32), Part>,
    gather: Gather,
    memory: Memory,
    disk: Disk,
    pressure: Pressure,
    now: Tick,
    /// Numbers the tasks in the order in which they came.
    serial: u64,
    /// Running tasks whose result nobody wants.
    abandoned: u32,
    retracted: u64,
    timed_out: u64,
    /// Keys that are wanted here while a chunk of theirs is on its way out; looked at after each event.
    held_up: Vec<Key>,
    /// Counts events: within one event an input that was seen is still there.
    event: u64,
    out: Vec<WorkerAction>,
}

/// A task that this worker was given.
struct Task {
    assignment: Arc<Assignment>,
    phase: Phase,
    serial: u64,
    /// Pieces that it waits for, and parts that it keeps; a piece that it reads twice stands here twice.
    pieces: Vec<Piece>,
    /// Bytes set aside for its result while it has a thread.
    reserved: u64,
    /// The event in which its inputs were last seen.
    seen: u64,
    /// When its operator began.
    began: Tick,
    /// When its operator must have ended.
    deadline: Option<Tick>,
    /// It executes but nobody wants its result.
    abandoned: bool,
    /// Its operator waits inside for other tasks.
    waits: bool,
    /// Its operator has waited, and took its thread back without asking whether there was one.
    has_waited: bool,
    /// A later try of the same task, which begins when the abandoned one has ended.
    next: Option<Box<Assignment>>,
}

/// The first ready task waits for memory, its inputs pinned.
struct Claim {
    key: Key,
    /// Bytes that must be free below the target.
    needed: u64,
    /// An input is on its way out.
    inputs_changed: bool,
}

/// A part that was fetched for tasks which have not ended.
struct Part {
    nbytes: u64,
    users: u32,
}

impl Task {
    /// The whole chunks that it reads here, or reads parts of, one for each reading. The parts that it fetched are not
    /// among them.
    fn chunks(&self) -> impl Iterator<Item = Key> + '_ {
        self.reads().map(|input| input.key)
    }

    fn reads(&self) -> impl Iterator<Item = &Input> + '_ {
        let fetched = |part: Option<u32>, key: Key| part.is_some() && self.pieces.binary_search(&(key, part)).is_ok();
        self.assignment.inputs.iter().flatten().filter(move |input| !fetched(input.part, input.key))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Pieces are on their way from peers.
    Gathering { missing: u32 },
    /// All inputs are held here.
    Ready,
    /// As ready, but an older chunk of the same key is on its way out and must be gone first.
    Blocked,
    /// Spilled inputs are on their way back to memory.
    Loading { missing: u32 },
    /// The shell runs it.
    Executing,
}

impl Worker {
    /// A worker that holds nothing.
    pub fn new(config: Config) -> Self {
        assert!(config.threads > 0, "a worker without threads runs nothing");
        Self {
            gather: Gather::new(config.fetches_per_peer),
            config,
            tasks: BTreeMap::new(),
            ready: BTreeSet::new(),
            running: 0,
            waiting: 0,
            claim: None,
            deadlines: BTreeSet::new(),
            chunks: BTreeMap::new(),
            parts: BTreeMap::new(),
            memory: Memory::default(),
            disk: Disk::default(),
            pressure: Pressure::default(),
            now: 0,
            serial: 0,
            abandoned: 0,
            retracted: 0,
            timed_out: 0,
            held_up: Vec::new(),
            event: 0,
            out: Vec::new(),
        }
    }

    /// Takes in what happened and appends to `out` what must be done, in order.
    pub fn handle(&mut self, now: Tick, event: WorkerEvent, out: &mut Vec<WorkerAction>) {
        self.event += 1;
        self.now = self.now.max(now);
        std::mem::swap(&mut self.out, out);
        match event {
            WorkerEvent::Heard(message) => self.heard(message),
            WorkerEvent::Ran { key, attempt, nbytes, spillable, micros, notes, value } => {
                self.ran(key, attempt, start::Made { nbytes, spillable, micros, notes, value });
            }
            WorkerEvent::RunFailed { key, attempt, failure } => self.run_failed(key, attempt, failure),
            WorkerEvent::Waits(key, attempt) => self.waits(key, attempt),
            WorkerEvent::Resumes(key, attempt) => self.resumes(key, attempt),
            WorkerEvent::Told { key, attempt, done, total } => self.told(key, attempt, done, total),
            WorkerEvent::Fetched { key, part, nbytes } => self.fetched(key, part, nbytes),
            WorkerEvent::InputLost { key, attempt, input } => self.input_lost(key, attempt, input),
            WorkerEvent::FetchRefused { key, part, failure } => self.fetch_refused((key, part), failure),
            WorkerEvent::FetchFailed { key, part, from } => self.fetch_failed(key, part, from),
            WorkerEvent::FetchBusy { from, pieces } => self.busy(from, pieces),
            WorkerEvent::Spilled { key, disk } => self.spilled(key, disk),
            WorkerEvent::SpillFailed { key } => self.spill_failed(key),
            WorkerEvent::Loaded { key, nbytes } => self.loaded(key, nbytes),
            WorkerEvent::LoadFailed { key } => self.load_failed(key),
            WorkerEvent::Measured { rss } => self.measured(rss),
            WorkerEvent::Tick => self.report_now_and_then(),
        }
        while let Some(key) = self.held_up.pop() {
            self.take_back(key);
        }
        self.time_passed();
        self.start();
        self.fetch();
        std::mem::swap(&mut self.out, out);
    }

    fn heard(&mut self, message: ToWorker) {
        match message {
            ToWorker::Assign(assignment) => self.assigned(assignment),
            ToWorker::Free(keys) => keys.into_iter().for_each(|key| self.free(key)),
            ToWorker::Abandon(key, attempt) => self.abandon(key, attempt),
            ToWorker::Retract(key, attempt) => self.retract(key, attempt),
            ToWorker::Acquire { key, nbytes, holders } => self.acquire(key, nbytes, holders),
            ToWorker::PeerGone(peer) => self.peer_gone(peer),
            ToWorker::Holders { key, holders } => self.told_holders(key, &holders),
        }
    }

    /// What is due by now. What the event itself has ended is not late.
    fn time_passed(&mut self) {
        self.stop_late();
        self.gather.wake(self.now);
        self.retry_refused();
        if self.running > 0 {
            self.pressure.idle_since = self.now;
        }
    }
}
