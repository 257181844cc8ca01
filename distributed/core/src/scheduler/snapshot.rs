//! What people and shells may see of the scheduler: plain data, made on demand. It never hands out the machine itself.

use partita_graph::LayerId;

use crate::protocol::{RunId, WorkerId};

/// The scheduler at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Connected workers, by number.
    pub workers: Vec<WorkerView>,
    /// Layers that some run refers to.
    pub layers: Vec<LayerView>,
    /// Runs that were neither released nor cancelled.
    pub runs: Vec<RunView>,
}

/// One worker in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerView {
    /// Its number.
    pub id: WorkerId,
    /// Tasks that it runs at a time.
    pub threads: u32,
    /// Tasks that it was given and has not answered.
    pub assigned: u32,
    /// Bytes of chunks in its memory, as it said last.
    pub managed: u64,
    /// Bytes of chunks on its disk, as it said last.
    pub spilled: u64,
    /// True while it starts nothing because memory is full.
    pub paused: bool,
}

/// One layer in a [`Snapshot`]: its tasks by state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerView {
    /// Its identity.
    pub id: LayerId,
    /// Its name.
    pub name: String,
    /// All its tasks.
    pub len: u64,
    /// Wanted, inputs missing.
    pub waiting: u64,
    /// Wanted, inputs there, not yet given to a worker.
    pub ready: u64,
    /// Given to a worker.
    pub assigned: u64,
    /// Their chunks are kept.
    pub stored: u64,
}

/// One run in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    /// Its number.
    pub id: RunId,
    /// Wanted chunks that are not stored yet.
    pub unstored: u64,
    /// Whether it failed and waits to be released.
    pub failed: bool,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// One entry for each layer of which the run needs something, in the graph's order.
    pub layers: Vec<LayerProgress>,
    /// Tasks of those layers that are with a worker now.
    pub running: u64,
}

/// How far one layer of a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerProgress {
    /// The layer's name.
    pub name: String,
    /// Tasks that ended.
    pub done: u64,
    /// Tasks that the run needs.
    pub total: u64,
}

