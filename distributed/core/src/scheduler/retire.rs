//! A worker is to go without loss: it gets nothing new, what it has not started is taken back, what runs may end, and what only
//! it holds is copied to others first.
//!
//! It refuses to give up a chunk: when nobody can take one, the retirement is refused and the worker serves again. So it is when all
//! that the worker has waits inside for other tasks, and some are ready that only workers which retire could run: neither would
//! ever end. Invariant: each stored chunk whose holders all retire is in the queue of one of them, or on its way.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Key;

use super::Scheduler;
use super::copies::Purpose;
use super::demand::Demand;
use super::record::{State, TaskId};
use crate::protocol::{SchedulerAction, WorkerId};

/// Copies on their way for one retiring worker.
const AT_A_TIME: usize = 64;

/// How far a worker's retirement is.
#[derive(Default)]
pub(super) struct Retirement {
    /// Chunks that may be only here. Entries may be out of date.
    pub queue: BTreeSet<TaskId>,
    /// Chunks with a copy on its way.
    pub moving: BTreeSet<TaskId>,
    /// Who could not fetch a chunk.
    tried: BTreeMap<TaskId, Vec<WorkerId>>,
    /// It was said that the worker may go.
    pub said: bool,
}

impl Scheduler {
    pub(super) fn retire(&mut self, worker: WorkerId) {
        if !self.workers.contains(worker) || self.retiring.contains_key(&worker) {
            return;
        }
        self.workers.change(worker, |record| record.retiring = true, self.config.saturation);
        let queue = self.held_at(worker).into_iter().map(|(task, _)| task).collect();
        self.retiring.insert(worker, Retirement { queue, ..Retirement::default() });
        self.take_back_unsent(worker);
        self.retract_all(worker);
    }

    /// Nobody waits any longer for the worker to go.
    pub(super) fn stay(&mut self, worker: WorkerId) {
        if self.retiring.get(&worker).is_some_and(|retirement| !retirement.said) {
            let why = format!("its time is over, and {}", self.not_retired_for(worker));
            self.keep(worker, why);
        }
    }

    /// What a worker that retires still has, for people. O(what it has).
    pub fn not_retired_for(&self, worker: WorkerId) -> String {
        let (Some(retirement), Some(record)) = (self.retiring.get(&worker), self.workers.get(worker)) else {
            return "it does not retire".into();
        };
        let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let mut has = Vec::new();
        if let Some(task) = record.tasks.tasks().next() {
            has.push(format!("it still runs {}, for example {}", counted(record.tasks.len() as usize, "task"), self.key_of(task)));
        }
        let stopping: Vec<Key> = self.lingering.keys().filter(|(at, ..)| *at == worker).map(|(_, key, _)| *key).collect();
        if let Some(key) = stopping.first() {
            has.push(format!("{} that it was told to stop still runs, for example {key}", counted(stopping.len(), "task")));
        }
        let alone: BTreeSet<TaskId> =
            retirement.queue.union(&retirement.moving).copied().filter(|task| self.is_only_at_retiring(*task, worker)).collect();
        if let Some(task) = alone.first() {
            has.push(format!("it alone holds {}, for example {}", counted(alone.len(), "chunk"), self.key_of(*task)));
        }
        if !record.linked {
            has.push("it cannot be heard".into());
        }
        if has.is_empty() { "it is about to go".into() } else { has.join("; ") }
    }

    /// Goes on with all retirements.
    pub(super) fn retire_on(&mut self) {
        if self.retiring.is_empty() {
            return;
        }
        for worker in self.retiring.keys().copied().collect::<Vec<_>>() {
            self.retire_step(worker);
        }
    }

    fn retire_step(&mut self, worker: WorkerId) {
        let moving = &self.copies.moving;
        let Some(retirement) = self.retiring.get_mut(&worker) else { return };
        retirement.moving.retain(|task| moving.contains_key(task));
        if retirement.said {
            // It is on its way out and gives nothing more: what others lose meanwhile is made again when it has gone.
            return retirement.queue.clear();
        }
        while let Some(retirement) = self.retiring.get_mut(&worker)
            && retirement.moving.len() < AT_A_TIME
            && let Some(task) = retirement.queue.pop_first()
        {
            if !self.is_only_at_retiring(task, worker) {
                continue;
            }
            let tried = self.retiring[&worker].tried.get(&task).cloned().unwrap_or_default();
            let under_way = self.copies.moving.contains_key(&task);
            if !under_way && !self.start_copy(task, Purpose::Retire, &tried) {
                return self.refuse_retirement(worker, task);
            }
            self.retiring.get_mut(&worker).expect("just seen").moving.insert(task);
        }
        if self.is_missed(worker) {
            let why = "all of its tasks wait inside for others, and nobody else can run what is ready".to_string();
            return self.keep(worker, why);
        }
        let idle = self.workers.get(worker).is_some_and(|record| record.tasks.is_empty());
        let lingers = self.lingering.keys().any(|(at, ..)| *at == worker);
        let retirement = self.retiring.get_mut(&worker).expect("just seen");
        if idle && !lingers && !retirement.said && retirement.queue.is_empty() && retirement.moving.is_empty() {
            retirement.said = true;
            self.out.push(SchedulerAction::Retired(worker));
        }
    }

    /// Whether its tasks wait, perhaps for tasks that are ready and that only workers which retire could run, this one among them.
    fn is_missed(&self, worker: WorkerId) -> bool {
        if self.workers.get(worker).is_none_or(|record| record.tasks.waiting() == 0 || record.assigned() > 0) {
            return false;
        }
        let stays = |id: WorkerId| self.workers.get(id).is_some_and(|record| !record.retiring);
        let is_ready = |(first, end): (TaskId, u32)| (first.index..end).any(|index| self.is_ready(TaskId { index, ..first }));
        let anywhere = !self.workers.ids().any(stays) && self.roots.ranges().any(is_ready);
        let only_here = |demand: &Demand| demand.fitting.contains(&worker) && !demand.fitting.iter().copied().any(stays);
        anywhere || self.demands.active().any(|demand| only_here(demand) && demand.ready.ranges().any(is_ready))
    }

    fn is_only_at_retiring(&self, task: TaskId, worker: WorkerId) -> bool {
        let slot = self.slots.get(task.slot as usize).and_then(Option::as_ref);
        let stored = slot.and_then(|slot| slot.records.get(task.index as usize)).is_some_and(|record| record.state.is_stored());
        stored && self.staying(task) == 0 && self.holders_of(task).contains(&worker)
    }

    fn refuse_retirement(&mut self, worker: WorkerId, task: TaskId) {
        let retirement = &self.retiring[&worker];
        let chunks = 1 + retirement.queue.len() + retirement.moving.len();
        let others: Vec<String> = self
            .workers
            .iter()
            .filter(|(id, _)| *id != worker)
            .map(|(_, record)| {
                let why = match record {
                    record if record.retiring => "retires too",
                    record if record.paused => "is out of memory",
                    record if !record.linked => "cannot be heard",
                    _ => "could not fetch it (the state of an actor, or what else has no form as bytes, cannot leave its worker)",
                };
                format!("{} {why}", record.about.name)
            })
            .take(4)
            .collect();
        let others = if others.is_empty() { "there is no other worker".to_string() } else { others.join(", ") };
        let layer = &self.slot(task.slot).layer.name;
        let why = format!("{chunks} of its chunks are nowhere else, for example {layer} {}: {others}", self.key_of(task));
        self.keep(worker, why);
    }

    /// The worker does not retire after all.
    fn keep(&mut self, worker: WorkerId, why: String) {
        self.retiring.remove(&worker);
        self.workers.change(worker, |record| record.retiring = false, self.config.saturation);
        self.touch(worker);
        self.place();
        self.out.push(SchedulerAction::CannotRetire(worker, why));
    }

    /// A copy did not come: the recipient is gone, or it reached no holder. Whatever it was for, retirements may have counted on it;
    /// somebody else is asked. (A wish is looked at again with all others, so that a chunk that nobody can fetch does not busy
    /// everybody.)
    pub(super) fn retirements_try_again(&mut self, task: TaskId, recipient: WorkerId) {
        for retirement in self.retiring.values_mut() {
            if retirement.moving.remove(&task) {
                retirement.queue.insert(task);
                retirement.tried.entry(task).or_default().push(recipient);
            }
        }
    }

    /// A stored chunk has lost a holder: what is left of them may all retire.
    pub(super) fn fewer_holders(&mut self, task: TaskId) {
        if self.retiring.is_empty() || !matches!(self.record(task).state, State::Stored { .. }) {
            return;
        }
        for holder in self.holders_of(task) {
            if let Some(retirement) = self.retiring.get_mut(&holder) {
                retirement.queue.insert(task);
            }
        }
    }
}
