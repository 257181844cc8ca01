//! A worker answers for a task: it ran, it failed, it started. Answers of an old try are dropped here, at the door.

use partita_graph::{Failure, Key};

use super::Scheduler;
use super::record::{State, TaskId};
use super::story::Happening;
use crate::protocol::{Attempt, RunId, SchedulerAction, ToWorker, WorkerId};

impl Scheduler {
    /// The task, if this is the answer that is waited for.
    pub(super) fn expected_answer(&self, worker: WorkerId, key: Key, attempt: Attempt) -> Option<TaskId> {
        let task = self.find(key)?;
        let record = self.record(task);
        (record.state == State::Assigned { worker } && record.attempt == attempt).then_some(task)
    }

    pub(super) fn finished(&mut self, worker: WorkerId, key: Key, attempt: Attempt, nbytes: u64, micros: u64, notes: Vec<String>) {
        let Some(task) = self.expected_answer(worker, key, attempt) else {
            // Said twice, the first answer counted. Otherwise a chunk was made that nobody waits for.
            let known = self.find(key).is_some_and(|task| self.record(task).attempt == attempt && self.holders_of(task).contains(&worker));
            if !known {
                self.out.push(SchedulerAction::Send(worker, ToWorker::Abandon(key, attempt)));
            }
            return;
        };
        self.workers.get_mut(&worker).expect("it just spoke").assigned -= 1;
        self.slot_mut(task.slot).sizes.learn(nbytes, micros);
        self.stories.tell(self.now, key, Happening::Finished { worker, nbytes });
        if !notes.is_empty() {
            self.note(task, notes);
        }
        self.store(task, worker, nbytes);
    }

    /// The chunk is there: readers may become ready, inputs may be let go, runs may be done.
    pub(super) fn store(&mut self, task: TaskId, worker: WorkerId, nbytes: u64) {
        let slot = self.slot_mut(task.slot);
        slot.unstored -= 1;
        let complete = slot.unstored == 0;
        let wanting = !slot.wanting.is_empty();
        let record = &mut slot.records[task.index as usize];
        record.state = State::Stored { holder: worker };
        record.nbytes = nbytes;
        record.blame = 0;
        self.for_readers(task, Self::one_less_missing);
        if complete {
            self.for_barrier_readers(task.slot, Self::one_less_missing);
        }
        self.unwant_inputs(task);
        if wanting {
            self.count_result(task, false);
        }
    }

    fn one_less_missing(&mut self, reader: TaskId) {
        if let State::Waiting { missing } = self.record(reader).state {
            self.set_waiting(reader, missing - 1);
        }
    }

    /// Tells the runs that want this chunk as a result that it is there, or no longer there.
    pub(super) fn count_result(&mut self, task: TaskId, lost: bool) {
        let wants = |run: &RunId| self.runs[run].results.get(&task.slot).is_some_and(|bits| bits.contains(task.index));
        let runs: Vec<RunId> = self.slot(task.slot).wanting.iter().copied().filter(wants).collect();
        for run in runs {
            let record = self.runs.get_mut(&run).expect("a run");
            if lost {
                record.unstored += 1;
                record.done = false;
            } else {
                record.unstored -= 1;
                self.announce_if_done(run);
            }
        }
    }

    fn note(&mut self, task: TaskId, notes: Vec<String>) {
        let runs: Vec<RunId> = self.slot(task.slot).runs.iter().copied().collect();
        for run in runs {
            let Some(record) = self.runs.get_mut(&run) else { continue };
            for note in &notes {
                if record.notes.insert(note.clone()) {
                    self.out.push(SchedulerAction::Note(run, note.clone()));
                }
            }
        }
    }

    pub(super) fn failed(&mut self, worker: WorkerId, key: Key, attempt: Attempt, failure: Failure) {
        let Some(task) = self.expected_answer(worker, key, attempt) else { return };
        self.workers.get_mut(&worker).expect("it just spoke").assigned -= 1;
        self.fail(task, failure);
    }

    pub(super) fn started(&mut self, worker: WorkerId, key: Key, attempt: Attempt) {
        if let Some(task) = self.expected_answer(worker, key, attempt) {
            self.record_mut(task).started = true;
        }
    }
}
