//! Where ready tasks go. Tasks without inputs wait in one queue and are given out only as fast as workers finish, so that
//! nothing is loaded before it can be used; other tasks go where they would end first, which is where most of their inputs
//! are unless that worker is busy. This file changes no state but Ready to Assigned.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::{State, TaskId, visit};
use super::story::Happening;
use super::{Scheduler, WorkerRecord};
use crate::protocol::{Assignment, Input, SchedulerAction, ToWorker, WorkerId};

/// How long a task runs while none of its layer has ended, in microseconds.
const UNKNOWN_MICROS: u64 = 10_000;
/// How fast inputs come from a peer, in bytes a microsecond (100 is 100 MB/s).
const BYTES_A_MICRO: u64 = 100;

/// Ready tasks that any worker may take, by priority. Neighbours in a layer are one entry, so a million queued tasks of one
/// layer cost no more than one. Entries may be out of date; whoever takes one looks at its state.
#[derive(Default)]
pub(super) struct RootQueue {
    /// Priority and first task of a range, and its end.
    ranges: BTreeMap<(u64, TaskId), u32>,
}

impl RootQueue {
    fn insert(&mut self, priority: u64, first: TaskId, end: u32) {
        let known = self.ranges.entry((priority, first)).or_insert(end);
        *known = end.max(*known);
    }

    /// Takes out the first range: its first task, and its end.
    fn take(&mut self) -> Option<(TaskId, u32)> {
        self.ranges.pop_first().map(|((_, first), end)| (first, end))
    }

    fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn contains(&self, task: TaskId) -> bool {
        self.ranges.iter().any(|((_, first), end)| first.slot == task.slot && (first.index..*end).contains(&task.index))
    }
}

impl WorkerRecord {
    /// Tasks that it may have: as many as it runs, and a little ahead.
    fn room_for_roots(&self, saturation: f64) -> u32 {
        ((f64::from(self.threads) * saturation).ceil() as u32).max(1)
    }

    /// The same with tasks that have inputs: these are fetched while others run.
    fn room(&self, saturation: f64) -> u32 {
        self.room_for_roots(saturation).saturating_add(self.threads)
    }

    /// Comparable across workers of different size.
    fn load(&self) -> u64 {
        (u64::from(self.assigned) << 16) / u64::from(self.threads)
    }
}

impl Scheduler {
    /// Gives out what can be given out.
    pub(super) fn place(&mut self) {
        if !self.fresh.is_empty() {
            self.sort_fresh();
        }
        self.give_out();
    }

    /// Ready tasks go into a worker's backlog, or into the common queue when they have no inputs or there is no worker.
    fn sort_fresh(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.sort_unstable();
        fresh.dedup();
        let mut range: Option<(TaskId, u32)> = None;
        for &task in &fresh {
            if !self.is_ready(task) {
                continue;
            }
            if !self.slot(task.slot).edges.is_empty()
                && let Some(worker) = self.best_worker(task)
            {
                let priority = self.slot(task.slot).priority(task.index);
                self.workers.get_mut(&worker).expect("chosen among these").backlog.insert((priority, task));
                continue;
            }
            range = match range {
                Some((first, end)) if first.slot == task.slot && end == task.index => Some((first, end + 1)),
                before => {
                    self.queue_range(before);
                    Some((task, task.index + 1))
                }
            };
        }
        self.queue_range(range);
        fresh.clear();
        self.fresh = fresh;
    }

    fn queue_range(&mut self, range: Option<(TaskId, u32)>) {
        if let Some((first, end)) = range {
            let priority = self.slot(first.slot).priority(first.index);
            self.roots.insert(priority, first, end);
        }
    }

    /// Where the task would probably end first: the time to move the inputs that are not there, and the time until its
    /// turn. Among equals who holds most bytes, then the lowest number.
    fn best_worker(&self, task: TaskId) -> Option<WorkerId> {
        if self.workers.len() <= 1 {
            return self.workers.keys().next().copied();
        }
        let held = self.held_bytes(task);
        let slot = self.slot(task.slot);
        let micros = slot.sizes.micros.checked_div(slot.sizes.count).unwrap_or(UNKNOWN_MICROS);
        let most = held.values().copied().max().unwrap_or(0);
        let rank = |(id, record): &(&WorkerId, &WorkerRecord)| {
            let here = held.get(id).copied().unwrap_or(0);
            let queued = u64::from(record.assigned) + record.backlog.len() as u64;
            let wait = queued * micros / u64::from(record.threads);
            (record.paused, (most - here) / BYTES_A_MICRO + wait, Reverse(here), **id)
        };
        self.workers.iter().min_by_key(rank).map(|(id, _)| *id)
    }

    /// Bytes of the task's inputs that each worker has. Of a chunk of which a part is read only that part counts.
    fn held_bytes(&self, task: TaskId) -> BTreeMap<WorkerId, u64> {
        let mut bytes: BTreeMap<WorkerId, u64> = BTreeMap::new();
        let slot = self.slot(task.slot);
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            let producer = self.slot(to.producer);
            let share = if edge.wiring.part(task.index).is_some() { u64::from(slot.layer.len.max(1)) } else { 1 };
            visit(&edge.wiring.inputs(task.index, producer.layer.len), |index| {
                let record = &producer.records[index as usize];
                if let State::Stored { holder } = record.state {
                    *bytes.entry(holder).or_default() += record.nbytes / share;
                    let more = self.replicas.get(&TaskId { slot: to.producer, index });
                    more.into_iter().flatten().for_each(|worker| *bytes.entry(*worker).or_default() += record.nbytes / share);
                }
            });
        }
        bytes
    }

    /// Fills the workers, the least loaded first.
    fn give_out(&mut self) {
        let saturation = self.config.saturation;
        loop {
            let roots = !self.roots.is_empty();
            // A backlog of more than one round may be shared with whoever has nothing to do.
            let long = |record: &WorkerRecord| record.backlog.len() as u64 > u64::from(record.threads) || record.paused;
            let victim = self.workers.iter().filter(|(_, w)| !w.backlog.is_empty() && long(w)).max_by_key(|(_, w)| w.backlog.len());
            let victim = victim.map(|(id, _)| *id);
            let any_awake = self.workers.values().any(|record| !record.paused);
            let mut best: Option<(u64, WorkerId)> = None;
            for (id, record) in &self.workers {
                if record.paused && any_awake {
                    continue;
                }
                let own = !record.backlog.is_empty() && record.assigned < record.room(saturation);
                let other = victim.is_some() && record.assigned < record.threads;
                let root = roots && record.assigned < record.room_for_roots(saturation);
                if (own || other || root) && best.is_none_or(|(load, _)| record.load() < load) {
                    best = Some((record.load(), *id));
                }
            }
            let Some((_, worker)) = best else { return };
            self.give_to(worker, victim);
        }
    }

    /// One task for this worker: what is best run here, then what nobody else gets to, then a new root. Each call takes
    /// something out of a queue, so filling ends.
    fn give_to(&mut self, worker: WorkerId, victim: Option<WorkerId>) {
        let record = self.workers.get_mut(&worker).expect("chosen among these");
        if let Some((_, task)) = record.backlog.pop_first() {
            return self.assign(task, worker);
        }
        let root = record.assigned < record.room_for_roots(self.config.saturation);
        let stolen = victim.filter(|_| record.assigned < record.threads);
        if let Some(victim) = stolen
            && let Some((_, task)) = self.workers.get_mut(&victim).expect("chosen among these").backlog.pop_first()
        {
            return self.assign(task, worker);
        }
        if root && let Some((first, end)) = self.roots.take() {
            // The layer may have gone, or another has its slot: what is left of the range is then out of date too.
            let len = self.slots[first.slot as usize].as_ref().map_or(0, |slot| slot.layer.len);
            if first.index + 1 < end.min(len) {
                let next = TaskId { slot: first.slot, index: first.index + 1 };
                self.queue_range(Some((next, end.min(len))));
            }
            self.assign(first, worker);
        }
    }

    /// Hands the task over, unless the queue's entry was out of date.
    fn assign(&mut self, task: TaskId, worker: WorkerId) {
        if !self.is_ready(task) {
            return;
        }
        let record = self.record_mut(task);
        record.state = State::Assigned { worker };
        let attempt = record.attempt;
        let assignment = self.assignment(task, worker);
        self.stories.tell(self.now, assignment.key, Happening::Assigned { worker, attempt });
        self.workers.get_mut(&worker).expect("a known worker").assigned += 1;
        self.out.push(SchedulerAction::Send(worker, ToWorker::Assign(assignment)));
    }

    fn assignment(&self, task: TaskId, worker: WorkerId) -> Assignment {
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
                largest = largest.max(record.nbytes / share);
                let holders = match record.state {
                    State::Stored { holder } if holder == worker => Vec::new(),
                    _ => self.holders_for(TaskId { slot: to.producer, index }, worker),
                };
                list.push(Input { key: producer.key(index), part, nbytes: record.nbytes, holders });
            });
            inputs.push(list);
        }
        let record = &slot.records[task.index as usize];
        let (key, attempt, layer) = (slot.key(task.index), record.attempt, Arc::clone(&slot.layer));
        // Before anything of a layer is known, its chunks are taken to be as large as its inputs.
        let expected = slot.expected().unwrap_or(largest);
        Assignment { key, attempt, layer, inputs, priority: slot.priority(task.index), expected, inline: !slot.wanting.is_empty(), timeout: None }
    }

    /// Whom this worker may ask; nobody when it has the chunk itself.
    fn holders_for(&self, task: TaskId, worker: WorkerId) -> Vec<WorkerId> {
        let holders = self.holders_of(task);
        if holders.contains(&worker) { Vec::new() } else { holders }
    }
}
