//! A worker answers for a task: it ran, it failed, it started. Answers of an old try are dropped here, at the door.

use std::sync::Arc;

use partita_graph::{Code, Failure, Key, TaskPlace};

use super::Scheduler;
use super::record::{State, TaskId};
use super::story::Happening;
use crate::protocol::{Attempt, Ending, RunId, SchedulerAction, ToWorker, WorkerId};

/// What a task that ended well has made.
pub(super) struct Made {
    pub nbytes: u64,
    pub micros: u64,
    /// The encoded value, when it was asked for and is small.
    pub value: Option<Arc<[u8]>>,
}

impl Scheduler {
    /// The task, if this is the answer that is waited for.
    pub(super) fn expected_answer(&self, worker: WorkerId, key: Key, attempt: Attempt) -> Option<TaskId> {
        let task = self.find(key)?;
        let record = self.record(task);
        (record.state == State::Assigned { worker } && record.attempt == attempt).then_some(task)
    }

    pub(super) fn finished(&mut self, worker: WorkerId, key: Key, attempt: Attempt, made: Made, notes: &[String]) {
        let Some(task) = self.expected_answer(worker, key, attempt) else {
            // Said twice, the first answer counted. Otherwise a chunk was made that nobody waits for.
            let known = self.find(key).is_some_and(|task| self.record(task).attempt == attempt && self.holders_of(task).contains(&worker));
            if !known {
                self.out.push(SchedulerAction::Send(worker, ToWorker::Abandon(key, attempt)));
            }
            self.stop_lingering(worker, key, attempt);
            return;
        };
        self.take_from(task, worker);
        self.slot_mut(task.slot).sizes.learn(made.nbytes, made.micros);
        self.stories.tell(self.now, key, Happening::Finished { worker, nbytes: made.nbytes });
        if !notes.is_empty() {
            self.note(task, notes);
        }
        if let Some(value) = made.value {
            for run in self.wanting(task) {
                self.out.push(SchedulerAction::Value { run, key, value: value.clone() });
            }
        }
        self.store(task, worker, made.nbytes);
    }

    /// The chunk is there: readers may become ready, inputs may be let go, runs may be done.
    pub(super) fn store(&mut self, task: TaskId, worker: WorkerId, nbytes: u64) {
        let slot = self.slot_mut(task.slot);
        let record = &mut slot.records[task.index as usize];
        record.set_nbytes(nbytes);
        (record.blame, record.retried) = (0, 0);
        slot.set(task.index, State::Stored { holder: worker });
        let complete = slot.unstored() == 0;
        let wanting = !slot.wanting.is_empty();
        self.vain.remove(&task);
        self.copies.stored(task);
        if let Some(retirement) = self.retiring.get_mut(&worker) {
            retirement.queue.insert(task);
        }
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

    /// The runs that want this chunk as a result.
    pub(super) fn wanting(&self, task: TaskId) -> Vec<RunId> {
        self.slot(task.slot).wanting.keys().filter(|run| self.runs[run].wants(task)).collect()
    }

    /// Tells the runs that want this chunk as a result that it is there, or no longer there.
    pub(super) fn count_result(&mut self, task: TaskId, lost: bool) {
        for run in self.wanting(task) {
            let record = self.runs.get_mut(&run).expect("a run");
            if lost {
                record.unstored += 1;
                record.done = false;
            } else {
                record.unstored -= 1;
                if record.ending == Ending::Each {
                    let key = self.key_of(task);
                    self.out.push(SchedulerAction::KeyDone { run, key });
                }
                self.announce_if_done(run);
            }
        }
    }

    pub(super) fn note(&mut self, task: TaskId, notes: &[String]) {
        let runs: Vec<RunId> = self.slot(task.slot).runs.keys().collect();
        for run in runs {
            notes.iter().for_each(|note| self.note_for(run, note));
        }
    }

    /// A remark for the user of a run, unless it was made already.
    pub(super) fn note_for(&mut self, run: RunId, note: &str) {
        if let Some(record) = self.runs.get_mut(&run)
            && record.rare_mut().notes.insert(note.to_string())
        {
            self.out.push(SchedulerAction::Note(run, note.to_string()));
        }
    }

    /// The operator failed: once more if the layer's retries allow it, otherwise for good.
    pub(super) fn failed(&mut self, worker: WorkerId, key: Key, attempt: Attempt, failure: Failure) {
        let Some(task) = self.expected_answer(worker, key, attempt) else {
            return self.stop_lingering(worker, key, attempt);
        };
        if failure.code == Code::TaskTimeout {
            // It was given up, but its operator has not returned yet.
            self.linger(task, worker);
        }
        self.take_from(task, worker);
        let slot = self.slot_mut(task.slot);
        let retries = slot.layer.annotations.as_ref().map_or(0, |wishes| wishes.retries);
        let record = &mut slot.records[task.index as usize];
        if u32::from(record.retried) < retries.min(u32::from(u8::MAX)) {
            record.retried += 1;
            self.stories.tell(self.now, key, Happening::Retried { worker });
            return self.take_back(task);
        }
        let name = self.workers.get(worker).map(|record| record.about.name.clone());
        let failure = failure.task(TaskPlace { worker: name, ..self.place_of(task, attempt) });
        self.fail(task, failure);
    }

    /// The task as a failure names it.
    pub(super) fn place_of(&self, task: TaskId, attempt: Attempt) -> TaskPlace {
        let slot = self.slot(task.slot);
        let lens = slot.edges.iter().map(|edge| self.slot(edge.producer).layer.len);
        TaskPlace::of(&slot.layer, slot.key(task.index), attempt).reading(&slot.layer, task.index, lens)
    }

    pub(super) fn started(&mut self, worker: WorkerId, key: Key, attempt: Attempt) {
        if let Some(task) = self.expected_answer(worker, key, attempt) {
            self.record_mut(task).started = true;
        }
    }
}
