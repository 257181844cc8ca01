//! A task is handed to a worker, and taken from it again: the only places where what a worker has, expects and occupies is
//! counted.
//!
//! It refuses to choose: who gets what is decided in `place`, `demand` and `steal`.

use std::sync::Arc;

use partita_graph::Key;

use super::Scheduler;
use super::given::Cost;
use super::record::{State, TaskId, visit};
use super::story::Happening;
use super::workers::WorkerRecord;
use crate::protocol::{Assignment, Attempt, Input, SchedulerAction, ToWorker, WorkerId};

/// Holders of a chunk that are named to a worker at most when it asks: enough to find one that has time.
const NAMED: usize = 16;

impl Scheduler {
    /// Hands the task over, unless a queue's entry was out of date. The caller puts the worker in its place afterwards.
    pub(super) fn give(&mut self, task: TaskId, worker: WorkerId) {
        if !self.is_ready(task) {
            return;
        }
        self.set_state(task, State::Assigned { worker });
        let assignment = self.assignment(task, worker);
        self.stories.tell(self.now, assignment.key, Happening::Assigned { worker, attempt: assignment.attempt });
        let slot = self.slot(task.slot);
        let (micros, bytes) = (slot.micros().min(u64::from(u32::MAX)) as u32, slot.mean_bytes().min(u64::from(u32::MAX)) as u32);
        let wishes = slot.demand.and(slot.layer.annotations.clone());
        let now = self.now;
        let record = self.workers.known(worker);
        if record.assigned() == 0 {
            record.answered = now;
        }
        record.tasks.insert(task, Cost { micros, bytes });
        record.occupancy += u64::from(micros);
        record.ahead_bytes += u64::from(bytes);
        for (name, amount) in wishes.iter().flat_map(|wishes| &wishes.resources) {
            *record.used.entry(name.clone()).or_default() += amount;
        }
        self.out.push(SchedulerAction::Send(worker, ToWorker::Assign(assignment)));
    }

    /// The task is no longer with this worker, whatever the reason. Its state is the caller's.
    pub(super) fn take_from(&mut self, task: TaskId, worker: WorkerId) {
        let slot = self.slot(task.slot);
        let wishes = slot.demand.and(slot.layer.annotations.clone());
        self.end_steal(task);
        let now = self.now;
        let record = self.workers.known(worker);
        let (cost, waits) = record.tasks.remove(task).expect("it has the task");
        if !waits {
            record.occupancy -= u64::from(cost.micros);
        }
        record.ahead_bytes -= u64::from(cost.bytes);
        record.answered = now;
        record.fed = false;
        for (name, amount) in wishes.iter().flat_map(|wishes| &wishes.resources) {
            let used = record.used.get_mut(name).expect("counted when it was given");
            *used -= amount;
        }
        record.used.retain(|_, used| *used > 0);
        self.touch(worker);
    }

    /// The worker may have room now.
    pub(super) fn touch(&mut self, worker: WorkerId) {
        let record = self.workers.known(worker);
        if !record.touched {
            record.touched = true;
            self.touched.push(worker);
        }
    }

    /// Nobody waits for this try any more, but until the worker says that it is over it occupies its resources.
    pub(super) fn linger(&mut self, task: TaskId, worker: WorkerId) {
        let slot = self.slot(task.slot);
        let Some(wishes) = slot.demand.and(slot.layer.annotations.clone()) else { return };
        if wishes.resources.is_empty() {
            return;
        }
        let (key, attempt) = (slot.key(task.index), slot.records[task.index as usize].attempt);
        let record = self.workers.known(worker);
        for (name, amount) in &wishes.resources {
            *record.used.entry(name.clone()).or_default() += amount;
        }
        self.lingering.insert((worker, key, attempt), wishes);
    }

    /// The try is over.
    pub(super) fn stop_lingering(&mut self, worker: WorkerId, key: Key, attempt: Attempt) {
        let Some(wishes) = self.lingering.remove(&(worker, key, attempt)) else { return };
        let record = self.workers.known(worker);
        for (name, amount) in &wishes.resources {
            let used = record.used.get_mut(name).expect("counted when it began to linger");
            *used -= amount;
        }
        record.used.retain(|_, used| *used > 0);
        self.touch(worker);
    }

    fn assignment(&mut self, task: TaskId, worker: WorkerId) -> Assignment {
        let mut named = Vec::new();
        let slot = self.slot(task.slot);
        let mut inputs = Vec::with_capacity(slot.edges.len());
        let mut largest = 0;
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            let producer = self.slot(to.producer);
            let indices = edge.wiring.inputs(task.index, producer.layer.len);
            let part = edge.wiring.part(task.index);
            let share = if part.is_some() { u64::from(slot.layer.len.max(1)) } else { 1 };
            let mut list = Vec::with_capacity(indices.len());
            visit(&indices, |index| {
                let record = &producer.records[index as usize];
                largest = largest.max(record.nbytes() / share);
                let holders = match record.state {
                    State::Stored { holder } if holder == worker => Vec::new(),
                    _ => self.holders_for(TaskId { slot: to.producer, index }, worker),
                };
                named.extend_from_slice(&holders);
                list.push(Input { key: producer.key(index), part, nbytes: record.nbytes(), holders });
            });
            inputs.push(list);
        }
        let record = &slot.records[task.index as usize];
        let (key, attempt, layer) = (slot.key(task.index), record.attempt, Arc::clone(&slot.layer));
        // Before anything of a layer is known, its chunks are taken to be as large as its inputs.
        let expected = slot.expected().unwrap_or(largest);
        let priority = slot.priority(task.index);
        let timeout = layer.annotations.as_ref().and_then(|wishes| wishes.timeout);
        let inline = slot.wanting.keys().any(|run| self.runs[&run].wants(task));
        self.name_peers(worker, &named);
        Assignment { key, attempt, layer, inputs, priority, expected, inline, timeout }
    }

    /// These peers were named to the worker; when one goes, it is told.
    pub(super) fn name_peers(&mut self, worker: WorkerId, named: &[WorkerId]) {
        let record = self.workers.known(worker);
        named.iter().for_each(|peer| record.peers.extend_to(peer.0));
    }

    /// All that the worker knows of are too busy for a chunk. When there is one holder, it knows that one; and whoever waits for a
    /// chunk that is lost hears of it otherwise.
    pub(super) fn name_holders(&mut self, worker: WorkerId, key: Key) {
        let Some(task) = self.find(key).filter(|task| self.record(*task).state.is_stored()) else { return };
        let mut holders = self.holders_for(task, worker);
        if holders.len() < 2 {
            return;
        }
        holders.truncate(NAMED);
        self.name_peers(worker, &holders);
        self.out.push(SchedulerAction::Send(worker, ToWorker::Holders { key, holders }));
    }

    /// Whom this worker may ask, the best first: who can be heard, then the same host, then in an order that differs from
    /// worker to worker, so that not all ask the same. Nobody when it has the chunk itself.
    pub(super) fn holders_for(&self, task: TaskId, worker: WorkerId) -> Vec<WorkerId> {
        let mut holders = self.holders_of(task);
        if holders.contains(&worker) {
            return Vec::new();
        }
        if holders.len() > 1 {
            let host = self.workers.get(worker).map(|record| &record.about.host);
            let order = |holder: &WorkerId| {
                let record = self.workers.get(*holder);
                let near = record.is_some_and(|record| Some(&record.about.host) == host);
                (!record.is_some_and(|record| record.linked), !near, (holder.0 ^ worker.0).wrapping_mul(0x9e37_79b1), *holder)
            };
            holders.sort_unstable_by_key(order);
        }
        holders
    }
}

impl WorkerRecord {
    /// Whether so much of each resource is free.
    pub fn offers(&self, needs: &std::collections::BTreeMap<String, u64>) -> bool {
        let free = |name: &String| self.about.resources.get(name).copied().unwrap_or(0) - self.used.get(name).copied().unwrap_or(0);
        needs.iter().all(|(name, amount)| free(name) >= *amount)
    }
}
