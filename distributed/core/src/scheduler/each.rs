//! Runs whose wanted keys end one by one: single keys fail, and single keys are forgotten, while the run goes on with the rest.
//!
//! It refuses to look at the other keys of the run: what it does costs in proportion to the keys that it is about, and to what they
//! alone needed. Invariant: a wanted key of such a run is among its results, or among those that failed, or was forgotten.

use partita_graph::Key;

use super::Scheduler;
use super::record::TaskId;
use super::story::Happening;
use crate::protocol::{RunId, SchedulerAction};

/// Of keys that end together for one reason, so many are entered in the story, which is short.
const TOLD: usize = 64;

impl Scheduler {
    /// These results of the run cannot be made because the task of `cause` failed.
    pub(super) fn fail_keys(&mut self, run: RunId, results: &[TaskId], cause: Key) {
        let (failure, uses) = self.failures.get_mut(&cause).expect("remembered while a result that failed for it is");
        *uses += results.len() as u32;
        let failure = failure.clone();
        let keys: Vec<Key> = results.iter().map(|task| self.key_of(*task)).collect();
        for key in keys.iter().filter(|key| **key != cause).take(TOLD) {
            self.stories.tell(self.now, *key, Happening::Doomed { cause });
        }
        for task in results {
            let was_wanted = self.stop_wanting(run, *task);
            assert!(was_wanted, "only what is wanted can fail");
            self.runs.get_mut(&run).expect("a run").rare_mut().failed.insert(*task, cause);
        }
        self.out.push(SchedulerAction::KeysFailed { run, keys, failure });
        self.settle(results.to_vec());
        self.announce_if_done(run);
    }

    /// The results of the run that need this key cannot be made, because its failure is remembered.
    pub(super) fn fail_keys_that_need(&mut self, run: RunId, cause: Key) {
        let task = self.find(cause).expect("its layer is one of the run");
        let dependents = self.dependents(task);
        let results: Vec<TaskId> = dependents.into_iter().filter(|at| self.runs[&run].wants(*at)).collect();
        // Those may have failed already for want of something else.
        if !results.is_empty() {
            self.fail_keys(run, &results, cause);
        }
    }

    /// The client wants these keys of its run no longer.
    pub(super) fn forget_keys(&mut self, run: RunId, keys: &[Key]) {
        if self.runs.get(&run).is_none_or(|record| record.cause().is_some()) {
            return;
        }
        let mut unwanted = Vec::new();
        for key in keys {
            let Some(task) = self.find(*key) else { continue };
            if self.stop_wanting(run, task) {
                if unwanted.len() < TOLD {
                    self.stories.tell(self.now, *key, Happening::Forgotten { run });
                }
                unwanted.push(task);
            } else if let Some(cause) = self.runs.get_mut(&run).expect("looked up above").rare_mut().failed.remove(&task) {
                self.forget_failure(cause);
            }
        }
        self.settle(unwanted);
        self.announce_if_done(run);
    }

    /// Takes back the run's interest in one of its results. False when it had none. The caller lets go of what nobody wants.
    fn stop_wanting(&mut self, run: RunId, task: TaskId) -> bool {
        let record = self.runs.get_mut(&run).expect("a run");
        let was_wanted = record.results.get_mut(task.slot).is_some_and(|bits| bits.remove(task.index));
        if was_wanted {
            let known = self.record_mut(task);
            known.wanted -= 1;
            let was_missing = !known.state.is_stored();
            self.runs.get_mut(&run).expect("a run").unstored -= u64::from(was_missing);
        }
        was_wanted
    }
}
