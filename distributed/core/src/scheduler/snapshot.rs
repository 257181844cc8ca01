//! What people and shells may see of the scheduler: plain data, made on demand. It never hands out the machine itself.

use std::collections::BTreeMap;

use partita_graph::{Key, LayerId, Milli};
use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::record::State;
use crate::protocol::{ClientId, Ending, RunId, WorkerId};

/// The scheduler at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Connected workers, by number.
    pub workers: Vec<WorkerView>,
    /// Layers that some run refers to.
    pub layers: Vec<LayerView>,
    /// Runs that were neither released nor cancelled.
    pub runs: Vec<RunView>,
}

/// One worker in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its number.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// Its host.
    pub host: String,
    /// Tasks that it runs at a time.
    pub threads: u32,
    /// Tasks that it was given and has not answered.
    pub assigned: u32,
    /// Those of them that wait inside for other tasks, and have no thread meanwhile.
    pub waiting: u32,
    /// Bytes of chunks in its memory, as it said last.
    pub managed: u64,
    /// Bytes of chunks on its disk, as it said last.
    pub spilled: u64,
    /// Resident memory of its process in bytes, as it said last.
    pub rss: u64,
    /// Bytes of memory that it may use; 0 for no limit.
    pub memory_limit: u64,
    /// True while it starts nothing because memory is full.
    pub paused: bool,
    /// True while it is emptied.
    pub retiring: bool,
    /// False while it cannot be heard.
    pub linked: bool,
    /// What it offers, and how much of that is taken, in thousandths.
    pub resources: BTreeMap<String, (Milli, Milli)>,
}

/// One layer in a [`Snapshot`]: its tasks by state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Bytes of these chunks, copies not counted.
    pub bytes: u64,
}

/// One run in a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    /// Its number.
    pub id: RunId,
    /// Who submitted it.
    pub client: ClientId,
    /// Whether its wanted keys end as one or one by one.
    pub ending: Ending,
    /// Wanted chunks that are not stored yet.
    pub unstored: u64,
    /// Whether it failed as a whole and waits to be released.
    pub failed: bool,
    /// Wanted keys that failed by themselves, where they end one by one, and were not forgotten.
    pub failed_keys: u64,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunProgress {
    /// One entry for each layer of which the run needs something, in the graph's order.
    pub layers: Vec<LayerProgress>,
    /// Tasks of those layers that are with a worker now.
    pub running: u64,
}

/// How far one layer of a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerProgress {
    /// The layer's name.
    pub name: String,
    /// Tasks that ended, well or badly, or that nobody wants any more.
    pub done: u64,
    /// Tasks that the run needs.
    pub total: u64,
}

impl Scheduler {
    /// Everything at this moment. O(workers, layers and runs).
    pub fn snapshot(&self) -> Snapshot {
        let workers = self.workers.iter().map(|(id, worker)| WorkerView {
            id,
            name: worker.about.name.clone(),
            host: worker.about.host.clone(),
            threads: worker.threads,
            assigned: worker.tasks.len(),
            waiting: worker.tasks.waiting(),
            managed: worker.managed,
            spilled: worker.spilled,
            rss: worker.rss,
            memory_limit: worker.about.memory_limit,
            paused: worker.paused,
            retiring: worker.retiring,
            linked: worker.linked,
            resources: worker
                .about
                .resources
                .iter()
                .map(|(name, has)| (name.clone(), (*has, worker.used.get(name).copied().unwrap_or(0))))
                .collect(),
        });
        let layers = self.slots.iter().flatten().map(|slot| LayerView {
            id: slot.layer.id,
            name: slot.layer.name.to_string(),
            len: u64::from(slot.layer.len),
            waiting: u64::from(slot.counts[1]),
            ready: u64::from(slot.counts[2]),
            assigned: u64::from(slot.counts[3]),
            stored: u64::from(slot.counts[4]),
            bytes: slot.bytes,
        });
        let runs = self.runs.iter().map(|(id, run)| RunView {
            id: *id,
            client: run.client,
            ending: run.ending,
            unstored: run.unstored,
            failed: run.cause().is_some(),
            failed_keys: run.rare().map_or(0, |rare| rare.failed.len() as u64),
        });
        Snapshot { workers: workers.collect(), layers: layers.collect(), runs: runs.collect() }
    }

    /// How far a run is; empty for a run that is not known or failed. O(layers), but for layers of which several runs need
    /// different parts O(tasks).
    pub fn progress(&self, run: RunId) -> RunProgress {
        let mut progress = RunProgress::default();
        let Some(run) = self.runs.get(&run) else { return progress };
        for &at in run.layers.iter() {
            let slot = self.slot(at);
            let Some(needed) = run.needed.get(at) else { continue };
            let total = needed.count();
            let (mut active, mut running) = (slot.active(), slot.counts[3]);
            if slot.runs.len() > 1 && total < slot.layer.len {
                let states = || needed.iter().map(|index| slot.records[index as usize].state);
                active = states().filter(|state| state.is_active()).count() as u32;
                running = states().filter(|state| matches!(state, State::Assigned { .. })).count() as u32;
            }
            // What is no longer wanted by anybody has been read by all its readers.
            let done = u64::from(total.saturating_sub(active));
            progress.running += u64::from(running);
            progress.layers.push(LayerProgress { name: slot.layer.name.to_string(), done, total: u64::from(total) });
        }
        progress
    }

    /// Who holds the chunk, those first that can be heard; empty when nobody does.
    pub fn holders(&self, key: Key) -> Vec<WorkerId> {
        let mut holders = self.find(key).map(|task| self.holders_of(task)).unwrap_or_default();
        holders.sort_by_key(|holder| !self.workers.get(*holder).is_some_and(|record| record.linked));
        holders
    }

    /// Size of a stored chunk in bytes.
    pub fn nbytes(&self, key: Key) -> Option<u64> {
        let record = self.record(self.find(key)?);
        record.state.is_stored().then_some(record.nbytes())
    }

    /// The chunks that a worker holds, with their sizes in bytes. O(tasks).
    pub fn holdings(&self, worker: WorkerId) -> Vec<(Key, u64)> {
        self.held_at(worker).into_iter().map(|(task, nbytes)| (self.key_of(task), nbytes)).collect()
    }
}
