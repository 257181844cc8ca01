//! The whole cluster at one moment, as plain data: what HTTP and the command line show.
//!
//! It refuses to hand out anything alive. Invariant: making it changes nothing.

use partita_core::protocol::RunId;
use partita_graph::LayerId;
use serde::{Deserialize, Serialize};

use super::diary::Entry;
use super::owner::Owner;
use crate::message::{ClientInfo, ClusterInfo, VERSION, WorkerInfo};

/// A cluster at one moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ClusterView {
    /// Scheduler, workers, clients.
    pub info: ClusterInfo,
    /// Layers of live runs, with their tasks by state.
    pub layers: Vec<LayerCounts>,
    /// Live runs.
    pub runs: Vec<RunState>,
    /// Published names.
    pub datasets: Vec<String>,
    /// What happened lately, the oldest first.
    pub events: Vec<Entry>,
}

/// One layer in a [`ClusterView`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LayerCounts {
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

/// One run in a [`ClusterView`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunState {
    /// Its number.
    pub id: RunId,
    /// Whose: the client's name, or empty for a published dataset.
    pub client: String,
    /// Wanted chunks that are not stored yet.
    pub unstored: u64,
    /// Whether it failed and waits to be released.
    pub failed: bool,
}

impl Owner {
    /// Scheduler, workers and clients. O(workers and clients).
    pub fn info(&self) -> ClusterInfo {
        ClusterInfo {
            cluster: self.fixed.cluster.clone(),
            version: VERSION.into(),
            epoch: self.fixed.epoch,
            address: self.fixed.address.clone(),
            pid: std::process::id(),
            uptime: self.started.elapsed().as_micros() as u64,
            workers: self.worker_infos(),
            clients: self.client_infos(),
        }
    }

    fn worker_infos(&self) -> Vec<WorkerInfo> {
        let info = |(id, worker): (&_, &super::workers::Worker)| WorkerInfo {
            id: *id,
            about: worker.about.clone(),
            data: worker.data.clone(),
            pid: worker.pid,
            nanny: worker.nanny.is_some(),
            connected: worker.lost.is_none(),
            paused: worker.memory.paused,
            retiring: worker.retiring,
            assigned: self.machine.assigned(*id),
            managed: worker.memory.managed,
            spilled: worker.memory.spilled,
            rss: worker.memory.rss,
        };
        self.workers.iter().map(info).collect()
    }

    fn client_infos(&self) -> Vec<ClientInfo> {
        let info = |(id, client): (&partita_core::protocol::ClientId, &super::clients::Client)| ClientInfo {
            id: id.0,
            name: client.name.clone(),
            connected: !client.lost,
            runs: client.runs.len() as u32,
        };
        self.clients.iter().map(info).collect()
    }

    /// Bytes of chunks in memory and on disk, as the workers said last.
    pub fn stored_bytes(&self) -> (u64, u64) {
        self.workers.values().fold((0, 0), |(memory, spilled), worker| (memory + worker.memory.managed, spilled + worker.memory.spilled))
    }

    /// Everything. O(tasks).
    pub fn view(&self) -> ClusterView {
        let snapshot = self.machine.snapshot();
        let layers = snapshot.layers.into_iter().map(|layer| LayerCounts {
            id: layer.id,
            name: layer.name,
            len: layer.len,
            waiting: layer.waiting,
            ready: layer.ready,
            assigned: layer.assigned,
            stored: layer.stored,
        });
        let whose = |run: &RunId| self.runs.get(run).and_then(|book| self.clients.get(&book.client)).map(|client| client.name.clone());
        let runs = snapshot.runs.into_iter().map(|run| RunState {
            id: run.id,
            client: whose(&run.id).unwrap_or_default(),
            unstored: run.unstored,
            failed: run.failed,
        });
        ClusterView {
            info: self.info(),
            layers: layers.collect(),
            runs: runs.collect(),
            datasets: self.datasets.keys().cloned().collect(),
            events: self.diary.read(),
        }
    }
}
