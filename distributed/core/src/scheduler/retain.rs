//! What is kept, and when it is let go. A chunk stays exactly while a run wants it as a result or an unfinished task reads
//! it; a task that lost its last reader is stopped. This file never starts anything.

use super::Scheduler;
use super::record::{State, TaskId, visit};
use super::story::Happening;
use crate::protocol::{SchedulerAction, ToWorker};

impl Scheduler {
    /// Takes back a task's interest in its inputs and lets go of what nobody wants any more.
    pub(super) fn unwant_inputs(&mut self, task: TaskId) {
        if self.slot(task.slot).edges.is_empty() {
            return;
        }
        let mut stack = Vec::new();
        self.unwant_inputs_onto(task, &mut stack);
        self.settle(stack);
    }

    fn unwant_inputs_onto(&mut self, task: TaskId, stack: &mut Vec<TaskId>) {
        let layer = self.slot(task.slot).layer.clone();
        for (number, edge) in layer.edges.iter().enumerate() {
            let at = self.slot(task.slot).edges[number].producer;
            let producer = self.slot_mut(at);
            if edge.wiring.is_barrier() {
                producer.barrier_wanted -= 1;
                if producer.barrier_wanted == 0 {
                    stack.extend((0..producer.layer.len).map(|index| TaskId { slot: at, index }));
                }
                continue;
            }
            visit(&edge.wiring.inputs(task.index, producer.layer.len), |index| {
                let record = &mut producer.records[index as usize];
                record.wanted -= 1;
                if record.wanted == 0 {
                    stack.push(TaskId { slot: at, index });
                }
            });
        }
    }

    /// Lets go of those of the tasks that nobody wants.
    pub(super) fn settle(&mut self, mut stack: Vec<TaskId>) {
        while let Some(task) = stack.pop() {
            let slot = self.slot(task.slot);
            let record = &slot.records[task.index as usize];
            if record.wanted > 0 || slot.barrier_wanted > 0 {
                continue;
            }
            match record.state {
                State::Idle => continue,
                State::Stored { .. } => {
                    self.free(task);
                    continue;
                }
                State::Assigned { worker } => {
                    let action = ToWorker::Abandon(slot.key(task.index), record.attempt);
                    self.out.push(SchedulerAction::Send(worker, action));
                    self.stories.tell(self.now, self.key_of(task), Happening::Abandoned { worker });
                    self.linger(task, worker);
                    self.take_from(task, worker);
                }
                State::Waiting { .. } | State::Ready | State::Failed => {}
            }
            self.set_idle(task);
            self.unwant_inputs_onto(task, &mut stack);
        }
    }

    /// Drops a stored chunk at all its holders.
    fn free(&mut self, task: TaskId) {
        let State::Stored { holder } = self.record(task).state else { unreachable!("only what is stored is freed") };
        let key = self.key_of(task);
        self.stories.tell(self.now, key, Happening::Freed);
        self.frees.entry(holder).or_default().push(key);
        for worker in self.replicas.remove(&task).into_iter().flatten() {
            self.frees.entry(worker).or_default().push(key);
        }
        self.set_idle(task);
    }

    /// Idle, and whatever is still said of the last try is stale.
    fn set_idle(&mut self, task: TaskId) {
        self.copies.forget(task, &mut self.workers);
        self.vain.remove(&task);
        self.set_state(task, State::Idle);
        let record = self.record_mut(task);
        record.attempt += 1;
        (record.blame, record.retried, record.started) = (0, 0, false);
    }

    pub(super) fn flush_frees(&mut self) {
        while let Some((worker, keys)) = self.frees.pop_first() {
            if self.workers.contains(worker) {
                self.out.push(SchedulerAction::Send(worker, ToWorker::Free(keys)));
            }
        }
    }
}
