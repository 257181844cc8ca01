//! A worker at one moment, for people and for tests. Plain data that fits on the wire; taking it costs nothing.

use serde::{Deserialize, Serialize};

use super::Worker;

/// A worker at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Tasks that were given and have not started.
    pub queued: u64,
    /// Tasks that run or wait for spilled inputs to be read back.
    pub running: u64,
    /// Tasks that were started and wait inside for other tasks, without a thread.
    pub waiting: u64,
    /// Tasks that were started and whose result nobody wants any more.
    pub abandoned: u64,
    /// Whole chunks held, wherever they are.
    pub chunks: u64,
    /// Fetched parts held.
    pub parts: u64,
    /// Pieces that are to be fetched, under way or not.
    pub wanted: u64,
    /// Pieces on their way.
    pub fetching: u64,
    /// Requests to peers under way.
    pub requests: u64,
    /// Bytes on their way from peers.
    pub receiving: u64,
    /// Bytes of chunks and parts in memory.
    pub managed: u64,
    /// Bytes promised to running tasks, loads and fetches.
    pub reserved: u64,
    /// Bytes of chunks on disk.
    pub spilled: u64,
    /// Resident memory of the process as measured last, in bytes; 0 before the first measurement.
    pub rss: u64,
    /// True while nothing is started because memory is full.
    pub paused: bool,
    /// Tasks that were given back unstarted since the worker began.
    pub retracted: u64,
    /// Tries that passed their time limit since the worker began.
    pub timed_out: u64,
}

impl Snapshot {
    /// Whether nothing is held, queued or under way. What was counted or measured does not matter.
    pub fn is_empty(&self) -> bool {
        let (rss, paused, retracted, timed_out) = (self.rss, self.paused, self.retracted, self.timed_out);
        *self == Self { rss, paused, retracted, timed_out, ..Self::default() }
    }
}

impl Worker {
    /// Everything at this moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            queued: self.tasks.len() as u64 - u64::from(self.running + self.waiting),
            running: u64::from(self.running),
            waiting: u64::from(self.waiting),
            abandoned: u64::from(self.abandoned),
            chunks: self.chunks.len() as u64,
            parts: self.parts.len() as u64,
            wanted: self.gather.needs.len() as u64,
            fetching: u64::from(self.gather.fetching),
            requests: self.gather.requests.len() as u64,
            receiving: self.gather.receiving,
            managed: self.memory.resident,
            reserved: self.promised(),
            spilled: self.memory.spilled,
            rss: self.pressure.rss,
            paused: self.pressure.paused,
            retracted: self.retracted,
            timed_out: self.timed_out,
        }
    }
}
