//! The whole cluster at one moment, as plain data: what HTTP and the command line show.
//!
//! It refuses to hand out anything alive. Invariant: making it changes nothing.

use std::collections::BTreeMap;

use partita_core::protocol::{ClientId, WorkerId};
use partita_core::scheduler::Snapshot;
use serde::{Deserialize, Serialize};

use super::clients::Client;
use super::diary::Entry;
use super::owner::Owner;
use super::workers::Worker;
use crate::message::{ClientInfo, ClusterInfo, VERSION, WorkerInfo};

/// A cluster at one moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ClusterView {
    /// Scheduler, workers, clients.
    pub info: ClusterInfo,
    /// What the machine knows: layers with their tasks by state, runs.
    pub machine: Snapshot,
    /// Published names.
    pub datasets: Vec<String>,
    /// What happened lately, the oldest first.
    pub events: Vec<Entry>,
}

impl Owner {
    /// Scheduler, workers and clients. O(workers, clients, layers and runs).
    pub fn info(&self) -> ClusterInfo {
        self.info_of(&self.machine.snapshot())
    }

    fn info_of(&self, machine: &Snapshot) -> ClusterInfo {
        ClusterInfo {
            cluster: self.fixed.cluster.clone(),
            version: VERSION.into(),
            epoch: self.fixed.epoch,
            address: self.fixed.address.clone(),
            pid: std::process::id(),
            uptime: self.started.elapsed().as_micros() as u64,
            workers: self.worker_infos(machine),
            clients: self.client_infos(),
        }
    }

    fn worker_infos(&self, machine: &Snapshot) -> Vec<WorkerInfo> {
        let seen: BTreeMap<WorkerId, _> = machine.workers.iter().map(|view| (view.id, view)).collect();
        let info = |(id, worker): (&WorkerId, &Worker)| {
            let view = seen.get(id)?;
            Some(WorkerInfo {
                id: *id,
                about: worker.about.clone(),
                data: worker.data.clone(),
                pid: worker.pid,
                nanny: worker.nanny.is_some(),
                connected: worker.lost.is_none(),
                paused: view.paused,
                retiring: view.retiring,
                assigned: view.assigned,
                managed: view.managed,
                spilled: view.spilled,
                rss: view.rss,
            })
        };
        self.workers.iter().filter_map(info).collect()
    }

    fn client_infos(&self) -> Vec<ClientInfo> {
        let info = |(id, client): (&ClientId, &Client)| ClientInfo {
            id: id.0,
            name: client.name.clone(),
            connected: !client.lost,
            runs: client.runs.len() as u32,
        };
        self.clients.iter().map(info).collect()
    }

    /// Everything. O(workers, clients, layers and runs).
    pub fn view(&self) -> ClusterView {
        let machine = self.machine.snapshot();
        ClusterView { info: self.info_of(&machine), machine, datasets: self.datasets.keys().cloned().collect(), events: self.diary.read() }
    }
}
