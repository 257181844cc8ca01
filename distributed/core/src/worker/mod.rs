//! The worker's machine: what is fetched, started, spilled and dropped.

use crate::protocol::{Tick, WorkerAction, WorkerEvent};

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
}

impl Worker {
    /// A worker that holds nothing.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// What happened, and what must be done.
    pub fn handle(&mut self, _now: Tick, _event: WorkerEvent, _out: &mut Vec<WorkerAction>) {
        debug_assert!(self.config.threads > 0);
    }

    /// Derives every fact again from its sources; panics when one is wrong.
    pub fn check(&self) {}

    /// Everything at this moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }
}
