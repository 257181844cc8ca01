//! Tasks that wait inside for other tasks: their workers have threads for others meanwhile, and who waits for itself is found out.
//!
//! It refuses to know what a task waits for; only who asks about one run gets an answer about it. Invariant: a task that waits counts
//! neither as load nor as work ahead of its worker, and is not asked back, but its memory and its resources stay taken, and it has
//! its part in the blame when the worker dies.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Key;

use super::Scheduler;
use super::record::{Bits, State, TaskId, visit};
use super::story::Happening;
use crate::protocol::{Attempt, RunId, WorkerId};

impl Scheduler {
    /// The operator of this try waits.
    pub(super) fn waits(&mut self, worker: WorkerId, key: Key, attempt: Attempt) {
        let Some(task) = self.expected_answer(worker, key, attempt) else { return };
        if !self.set_waits(task, worker, true) {
            return;
        }
        self.slot_mut(task.slot).sizes.waits = true;
        // It has started, so that whatever is asked about it is answered.
        self.record_mut(task).started = true;
        self.end_steal(task);
        self.stories.tell(self.now, key, Happening::Waits { worker });
    }

    /// It goes on.
    pub(super) fn resumes(&mut self, worker: WorkerId, key: Key, attempt: Attempt) {
        let Some(task) = self.expected_answer(worker, key, attempt) else { return };
        if self.set_waits(task, worker, false) {
            self.stories.tell(self.now, key, Happening::Resumes { worker });
        }
    }

    /// The operator of this try says how far it is. Nothing is decided by it.
    pub(super) fn hear_progress(&mut self, worker: WorkerId, key: Key, attempt: Attempt, told: (u64, u64)) {
        let Some(task) = self.expected_answer(worker, key, attempt) else { return };
        self.workers.known(worker).tasks.set_told(task, told);
    }

    /// How much of how much is done of a task that runs, as it said last.
    pub fn told(&self, key: Key) -> Option<(u64, u64)> {
        let task = self.find(key)?;
        let State::Assigned { worker } = self.record(task).state else { return None };
        self.workers.get(worker)?.tasks.told(task)
    }

    /// False when that is known already: a message came twice.
    fn set_waits(&mut self, task: TaskId, worker: WorkerId, waits: bool) -> bool {
        let now = self.now;
        let record = self.workers.known(worker);
        let cost = record.tasks.cost(task).expect("it has the task");
        if !record.tasks.set_waits(task, waits) {
            return false;
        }
        if waits {
            record.occupancy -= u64::from(cost.micros);
        } else {
            record.occupancy += u64::from(cost.micros);
        }
        record.answered = now;
        self.touch(worker);
        true
    }

    /// Whether the run, or with `only` this one result of it, cannot end before this task has: the task would wait for itself if it
    /// waited for that. Costs nothing for a task that was not needed when the run was submitted, and otherwise in proportion to
    /// what is left of the run.
    pub fn needs(&self, run: RunId, only: Option<Key>, task: Key) -> bool {
        let (Some(record), Some(sought)) = (self.runs.get(&run), self.find(task)) else { return false };
        let was_needed = record.needed.get(sought.slot).is_some_and(|bits| bits.contains(sought.index));
        if !was_needed || !self.record(sought).state.is_active() {
            return false;
        }
        let results = record.results.iter().flat_map(|(slot, bits)| bits.iter().map(move |index| TaskId { slot, index }));
        let only = only.map(|key| self.find(key));
        let stack: Vec<TaskId> = results.filter(|task| only.is_none_or(|only| only == Some(*task))).collect();
        self.leads_to(stack, sought)
    }

    /// Whether one of these tasks is the other, or needs it for its input, directly or through others that are not done.
    fn leads_to(&self, mut stack: Vec<TaskId>, sought: TaskId) -> bool {
        let mut seen: BTreeMap<u32, Bits> = BTreeMap::new();
        let mut whole: BTreeSet<u32> = BTreeSet::new();
        while let Some(task) = stack.pop() {
            if task == sought {
                return true;
            }
            if !self.record(task).state.is_active() {
                continue;
            }
            let slot = self.slot(task.slot);
            for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
                if edge.wiring.is_barrier() && !whole.insert(to.producer) {
                    continue;
                }
                let len = self.slot(to.producer).layer.len;
                let bits = seen.entry(to.producer).or_insert_with(|| Bits::with_len(len));
                visit(&edge.wiring.inputs(task.index, len), |index| {
                    if bits.insert(index) {
                        stack.push(TaskId { slot: to.producer, index });
                    }
                });
            }
        }
        false
    }
}
