//! What people and shells may see of the scheduler: plain data, made on demand. It never hands out the machine itself.

use partita_graph::{Key, LayerId};

use super::Scheduler;
use super::record::State;
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

impl Scheduler {
    /// Everything at this moment. O(tasks).
    pub fn snapshot(&self) -> Snapshot {
        let workers = self.workers.iter().map(|(id, worker)| WorkerView {
            id: *id,
            threads: worker.threads,
            assigned: worker.assigned,
            managed: worker.managed,
            spilled: worker.spilled,
            paused: worker.paused,
        });
        let layers = self.slots.iter().flatten().map(|slot| {
            let count = |wanted: fn(&State) -> bool| slot.records.iter().filter(|record| wanted(&record.state)).count() as u64;
            LayerView {
                id: slot.layer.id,
                name: slot.layer.name.to_string(),
                len: u64::from(slot.layer.len),
                waiting: count(|state| matches!(state, State::Waiting { .. })),
                ready: count(|state| matches!(state, State::Ready)),
                assigned: count(|state| matches!(state, State::Assigned { .. })),
                stored: count(|state| matches!(state, State::Stored { .. })),
            }
        });
        let runs = self.runs.iter().map(|(id, run)| RunView { id: *id, unstored: run.unstored, failed: run.cause.is_some() });
        Snapshot { workers: workers.collect(), layers: layers.collect(), runs: runs.collect() }
    }

    /// How far a run is; empty for a run that is not known or failed. O(tasks of the run).
    pub fn progress(&self, run: RunId) -> RunProgress {
        let mut progress = RunProgress::default();
        let Some(run) = self.runs.get(&run) else { return progress };
        for &at in &run.layers {
            let slot = self.slot(at);
            let Some(needed) = run.needed.get(&at) else { continue };
            let mut done = needed.count();
            for index in needed.iter() {
                match slot.records[index as usize].state {
                    State::Assigned { .. } => {
                        progress.running += 1;
                        done -= 1;
                    }
                    State::Waiting { .. } | State::Ready | State::Failed => done -= 1,
                    // What is no longer wanted by anybody has been read by all its readers.
                    State::Idle | State::Stored { .. } => {}
                }
            }
            let name = slot.layer.name.to_string();
            progress.layers.push(LayerProgress { name, done: u64::from(done), total: u64::from(needed.count()) });
        }
        progress
    }

    /// Who holds the chunk; empty when nobody does.
    pub fn holders(&self, key: Key) -> Vec<WorkerId> {
        self.find(key).map(|task| self.holders_of(task)).unwrap_or_default()
    }
}
