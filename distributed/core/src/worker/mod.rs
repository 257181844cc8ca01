//! The worker's machine: what is fetched, started, spilled and dropped.
//!
//! It refuses to know chunks, files, peers' addresses and threads: it counts bytes and says what must be done. A task goes
//!
//! ```text
//! Gathering{missing} -> Ready -> Loading{missing} -> Executing -> (its chunk is held)
//! ```
//!
//! and a chunk is in memory, on its way to disk, on disk, or on its way back. A task is given back from any of these places
//! by one path, and whether its result is still wanted (`abandoned`) stands beside its phase. Memory is reserved before a
//! task runs; a chunk in use is pinned and neither spilled nor dropped. Something always moves: when nothing runs and
//! nothing is on its way, the first ready task starts whatever the memory. This file dispatches only.
//!
//! ```
//! use partita_core::worker::{Config, Worker};
//! let worker = Worker::new(Config::new(4, 1 << 30));
//! assert_eq!(worker.snapshot().managed, 0);
//! ```

mod check;
mod gather;
mod memory;
mod retain;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gather::{Gather, Part};
use memory::{Held, Memory};
use partita_graph::Key;

use crate::protocol::{Assignment, Input, Tick, ToWorker, WorkerAction, WorkerEvent};

/// Settings of a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tasks that run at a time.
    pub threads: u32,
    /// Bytes of memory that chunks and tasks may take; 0 for no limit.
    pub memory_limit: u64,
    /// Share of the limit up to which tasks are started without spilling. Default 0.60.
    pub target: f64,
    /// Share of the limit above which chunks are spilled down to the target. Default 0.70.
    pub spill: f64,
    /// Share of the limit of resident memory above which nothing is started while something runs. Default 0.80.
    pub pause: f64,
}

impl Config {
    /// The default shares of the limit.
    pub fn new(threads: u32, memory_limit: u64) -> Self {
        Self { threads, memory_limit, target: 0.60, spill: 0.70, pause: 0.80 }
    }
}

/// A worker at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Tasks that were given and have not started.
    pub queued: u64,
    /// Tasks that run or wait for spilled inputs to be read back.
    pub running: u64,
    /// Whole chunks held, wherever they are.
    pub chunks: u64,
    /// Fetched parts held.
    pub parts: u64,
    /// Fetches on their way.
    pub fetching: u64,
    /// Bytes of chunks and parts in memory.
    pub managed: u64,
    /// Bytes promised to running tasks, loads and fetches.
    pub reserved: u64,
    /// Bytes of chunks on disk.
    pub spilled: u64,
    /// True while nothing is started because memory is full.
    pub paused: bool,
}

/// The machine.
pub struct Worker {
    config: Config,
    /// Tasks that were given and did not end.
    tasks: BTreeMap<Key, Task>,
    /// Tasks in phase Ready, by priority.
    ready: BTreeSet<(u64, Key)>,
    /// Tasks in phase Loading or Executing: each has a thread.
    running: u32,
    chunks: BTreeMap<Key, Held>,
    parts: BTreeMap<(Key, u32), Part>,
    gather: Gather,
    memory: Memory,
    /// Counts events: within one event an input that was seen is still there.
    event: u64,
    out: Vec<WorkerAction>,
}

/// A task that this worker was given.
struct Task {
    assignment: Arc<Assignment>,
    phase: Phase,
    /// Pieces that it waits for, and parts that it keeps; a piece that it reads twice stands here twice.
    pieces: Vec<(Key, Option<u32>)>,
    /// Bytes set aside for its result while it has a thread.
    reserved: u64,
    /// The event in which its inputs were last seen.
    seen: u64,
    /// It executes but nobody wants its result.
    abandoned: bool,
    /// A later try of the same task, which begins when the abandoned one has ended.
    next: Option<Assignment>,
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
            config,
            tasks: BTreeMap::new(),
            ready: BTreeSet::new(),
            running: 0,
            chunks: BTreeMap::new(),
            parts: BTreeMap::new(),
            gather: Gather::default(),
            memory: Memory::default(),
            event: 0,
            out: Vec::new(),
        }
    }

    /// Takes in what happened and appends to `out` what must be done, in order.
    pub fn handle(&mut self, _now: Tick, event: WorkerEvent, out: &mut Vec<WorkerAction>) {
        self.event += 1;
        std::mem::swap(&mut self.out, out);
        match event {
            WorkerEvent::Heard(ToWorker::Assign(assignment)) => self.assigned(assignment),
            WorkerEvent::Heard(ToWorker::Free(keys)) => keys.into_iter().for_each(|key| self.free(key)),
            WorkerEvent::Heard(ToWorker::Abandon(key, attempt)) => self.abandon(key, attempt),
            WorkerEvent::Heard(ToWorker::Retract(..) | ToWorker::Acquire { .. } | ToWorker::PeerGone(_)) => {}
            WorkerEvent::Ran { key, attempt, nbytes, spillable, micros, notes, value } => {
                self.ran(key, attempt, nbytes, spillable, micros, notes, value);
            }
            WorkerEvent::RunFailed { key, attempt, failure } => self.run_failed(key, attempt, failure),
            WorkerEvent::Fetched { key, part, nbytes } => self.fetched(key, part, nbytes),
            WorkerEvent::FetchFailed { key, part, from } => self.fetch_failed(key, part, from),
            WorkerEvent::Spilled { key, disk } => self.spilled(key, disk),
            WorkerEvent::SpillFailed { key } => self.spill_failed(key),
            WorkerEvent::Loaded { key, nbytes } => self.loaded(key, nbytes),
            WorkerEvent::LoadFailed { key } => self.load_failed(key),
            WorkerEvent::Measured { rss } => self.measured(rss),
            WorkerEvent::FetchBusy { .. } | WorkerEvent::Tick => {}
        }
        self.start();
        self.fetch();
        std::mem::swap(&mut self.out, out);
    }

    /// Everything at this moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            queued: self.tasks.len() as u64 - u64::from(self.running),
            running: u64::from(self.running),
            chunks: self.chunks.len() as u64,
            parts: self.parts.len() as u64,
            fetching: u64::from(self.gather.fetching),
            managed: self.memory.resident,
            reserved: self.memory.reserved,
            spilled: self.memory.spilled,
            paused: self.memory.paused,
        }
    }
}
