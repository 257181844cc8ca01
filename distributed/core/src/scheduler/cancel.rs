//! Runs end: released, cancelled or failed. A failed task fails every run that wants it, directly or through others, or the
//! results of it that need the task where they end one by one; what other runs want is not touched.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::{Failure, Key};

use super::Scheduler;
use super::few::Few;
use super::record::{State, TaskId};
use super::story::Happening;
use crate::protocol::{Ending, RunId, SchedulerAction};

/// For so many layers that are gone it is remembered which attempts were used.
const REMEMBERED_LAYERS: usize = 65_536;

impl Scheduler {
    /// The run is no longer wanted, whether it ended or not. A number that is not known is no fault: a release may cross a
    /// cancel.
    pub(super) fn release(&mut self, run: RunId) {
        if !self.runs.contains_key(&run) {
            return;
        }
        self.let_go(run);
        let record = self.runs.remove(&run).expect("looked up above");
        self.clients.leave(record.client, run);
        record.cause().into_iter().chain(record.failed().map(|(_, cause)| cause)).for_each(|cause| self.forget_failure(cause));
    }

    /// A run, or one result of a run, that failed for this key is let go.
    pub(super) fn forget_failure(&mut self, cause: Key) {
        let (_, uses) = self.failures.get_mut(&cause).expect("remembered while something that failed for it is");
        *uses -= 1;
        if *uses == 0 {
            self.failures.remove(&cause);
        }
    }

    /// Takes back the run's interest in its results, and removes the layers that no other run refers to.
    fn let_go(&mut self, run: RunId) {
        let record = self.runs.get_mut(&run).expect("a run");
        let results = std::mem::take(&mut record.results);
        let layers = std::mem::take(&mut record.layers);
        record.needed = Few::default();
        record.unstored = 0;
        let mut stack = Vec::new();
        for (slot, bits) in results.iter() {
            self.slot_mut(slot).wanting.remove(run);
            for index in bits.iter() {
                let task = TaskId { slot, index };
                self.record_mut(task).wanted -= 1;
                stack.push(task);
            }
        }
        self.settle(stack);
        let mut unused = Vec::new();
        for &at in layers.iter().rev() {
            self.slot_mut(at).runs.remove(run);
            unused.push(at);
            while let Some(at) = unused.pop() {
                self.remove_if_unused(at, &mut unused);
            }
        }
    }

    /// Removes a layer that no run contains and none reads. Perhaps those that it read are unused then: they were named in its run's graph
    /// as layers of earlier runs, or were read by such.
    fn remove_if_unused(&mut self, at: u32, unused: &mut Vec<u32>) {
        let Some(slot) = self.slots[at as usize].as_ref() else { return };
        if slot.runs.is_empty() && slot.readers.is_empty() {
            unused.extend(slot.edges.iter().map(|edge| edge.producer));
            self.remove_slot(at);
        }
    }

    fn remove_slot(&mut self, at: u32) {
        let slot = self.slots[at as usize].take().expect("a slot in use");
        for edge in &slot.edges {
            // The layers of a run go in the reverse order of their coming: the reader is mostly the last of its producer's.
            let readers = &mut self.slot_mut(edge.producer).readers;
            let place = readers.iter().rposition(|(reader, _)| *reader == at).expect("entered at submit, once for each edge");
            readers.remove(place);
        }
        let mut attempt = 1;
        for record in &slot.records {
            assert_eq!(record.state, State::Idle, "a layer that no run contains and none reads has no wanted task");
            attempt = attempt.max(record.attempt);
        }
        self.index.remove(&slot.layer.id);
        self.free_slots.push(at);
        self.forget_probe(at);
        self.demands.leave(slot.demand);
        if attempt > 1 {
            self.attempts.insert(slot.layer.id, attempt);
        }
        if self.attempts.len() > REMEMBERED_LAYERS {
            self.attempts.pop_first();
        }
    }

    /// The task cannot be done. It is in nobody's hands when this is called.
    pub(super) fn fail(&mut self, task: TaskId, failure: Failure) {
        let key = self.key_of(task);
        let failure = failure.task(self.place_of(task, self.record(task).attempt));
        self.stories.tell(self.now, key, Happening::Failed);
        self.set_state(task, State::Failed);
        let lost = self.results_that_need(task);
        assert!(!lost.is_empty(), "a task that was given out is wanted by a run");
        match self.failures.get_mut(&key) {
            // It failed before, for somebody who is not released yet, was made again for want of its chunk, and fails once more.
            Some((known, _)) => *known = failure,
            None => drop(self.failures.insert(key, (failure, 0))),
        }
        for (run, tasks) in lost {
            match self.runs[&run].ending {
                Ending::Together => self.fail_run(run, key),
                Ending::Each => self.fail_keys(run, &tasks, key),
            }
        }
    }

    /// Ends a run with the remembered failure of `key`.
    pub(super) fn fail_run(&mut self, run: RunId, key: Key) {
        let (failure, uses) = self.failures.get_mut(&key).expect("remembered while a run that failed for it is");
        *uses += 1;
        let failure = failure.clone();
        self.let_go(run);
        self.runs.get_mut(&run).expect("a run").rare_mut().cause = Some(key);
        self.out.push(SchedulerAction::RunFailed(run, failure));
    }

    /// The runs for which this task is a result or is on the way to one, and of those whose keys end one by one these results.
    fn results_that_need(&mut self, task: TaskId) -> BTreeMap<RunId, Vec<TaskId>> {
        let mut lost: BTreeMap<RunId, Vec<TaskId>> = BTreeMap::new();
        for at in self.dependents(task) {
            for run in self.slot(at.slot).wanting.keys() {
                let record = &self.runs[&run];
                if record.wants(at) {
                    let results = lost.entry(run).or_default();
                    if record.ending == Ending::Each {
                        results.push(at);
                    }
                }
            }
        }
        lost
    }

    /// The task, and the active ones that read it, directly or through others.
    pub(super) fn dependents(&mut self, task: TaskId) -> BTreeSet<TaskId> {
        let mut seen = BTreeSet::from([task]);
        let mut barriers = BTreeSet::new();
        let mut stack = vec![task];
        while let Some(at) = stack.pop() {
            let mut add = |scheduler: &mut Self, reader: TaskId| {
                if scheduler.record(reader).state.is_active() && seen.insert(reader) {
                    stack.push(reader);
                }
            };
            self.for_readers(at, &mut add);
            // Many tasks of a layer may fail one after the other, and readers of all of them are not looked for again and again.
            if self.slot(at.slot).barrier_wanted > 0 && barriers.insert(at.slot) {
                self.for_barrier_readers(at.slot, add);
            }
        }
        seen
    }
}
