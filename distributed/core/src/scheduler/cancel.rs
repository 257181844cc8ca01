//! Runs end: released, cancelled or failed. A failed task fails every run that wants it, directly or through others; what
//! other runs want is not touched.

use std::collections::BTreeSet;

use partita_graph::{Failure, Key};

use super::Scheduler;
use super::record::{State, TaskId};
use super::story::Happening;
use crate::protocol::{RunId, SchedulerAction};

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
        if let Some(key) = record.cause
            && let Some((_, runs)) = self.failures.get_mut(&key)
        {
            *runs -= 1;
            if *runs == 0 {
                self.failures.remove(&key);
            }
        }
    }

    /// Takes back the run's interest in its results, and removes the layers that no other run refers to.
    fn let_go(&mut self, run: RunId) {
        let record = self.runs.get_mut(&run).expect("a run");
        let results = std::mem::take(&mut record.results);
        let layers = std::mem::take(&mut record.layers);
        record.needed.clear();
        record.unstored = 0;
        let mut stack = Vec::new();
        for (&slot, bits) in &results {
            self.slot_mut(slot).wanting.remove(&run);
            for index in bits.iter() {
                let task = TaskId { slot, index };
                self.record_mut(task).wanted -= 1;
                stack.push(task);
            }
        }
        self.settle(stack);
        for &at in layers.iter().rev() {
            let slot = self.slot_mut(at);
            slot.runs.remove(&run);
            if slot.runs.is_empty() {
                self.remove_slot(at);
            }
        }
    }

    /// Readers come after what they read, so they are gone already.
    fn remove_slot(&mut self, at: u32) {
        let slot = self.slots[at as usize].take().expect("a slot in use");
        assert!(slot.readers.is_empty(), "a layer of a graph is kept as long as its readers");
        for edge in &slot.edges {
            // The layers of a run go in the reverse order of their coming: the reader is the last of its producer's.
            let readers = &mut self.slot_mut(edge.producer).readers;
            let place = readers.iter().rposition(|(reader, _)| *reader == at).expect("entered at submit, once for each edge");
            readers.remove(place);
        }
        let mut attempt = 1;
        for record in &slot.records {
            assert_eq!(record.state, State::Idle, "a layer that no run refers to has no wanted task");
            attempt = attempt.max(record.attempt);
        }
        self.index.remove(&slot.layer.id);
        self.free_slots.push(at);
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
        self.stories.tell(self.now, key, Happening::Failed);
        self.set_state(task, State::Failed);
        let runs = self.runs_that_need(task);
        assert!(!runs.is_empty(), "a task that was given out is wanted by a run");
        self.failures.insert(key, (failure, 0));
        for run in runs {
            self.fail_run(run, key);
        }
    }

    /// Ends a run with the remembered failure of `key`.
    pub(super) fn fail_run(&mut self, run: RunId, key: Key) {
        let (failure, runs) = self.failures.get_mut(&key).expect("remembered while a run that failed for it is");
        *runs += 1;
        let failure = failure.clone();
        self.let_go(run);
        self.runs.get_mut(&run).expect("a run").cause = Some(key);
        self.out.push(SchedulerAction::RunFailed(run, failure));
    }

    /// The runs for which this task is a result or is on the way to one.
    fn runs_that_need(&mut self, task: TaskId) -> BTreeSet<RunId> {
        let mut runs = BTreeSet::new();
        let mut seen = BTreeSet::from([task]);
        let mut barriers = BTreeSet::new();
        let mut stack = vec![task];
        while let Some(at) = stack.pop() {
            for run in &self.slot(at.slot).wanting {
                if self.runs[run].results.get(&at.slot).is_some_and(|bits| bits.contains(at.index)) {
                    runs.insert(*run);
                }
            }
            let mut add = |scheduler: &mut Self, reader: TaskId| {
                if scheduler.record(reader).state.is_active() && seen.insert(reader) {
                    stack.push(reader);
                }
            };
            self.for_readers(at, &mut add);
            if barriers.insert(at.slot) {
                self.for_barrier_readers(at.slot, add);
            }
        }
        runs
    }
}
