//! Ready tasks get threads, in order of priority, and memory before that; running tasks end. An operator that runs is never
//! taken its inputs away, and its thread is free when it has returned, or while it says that it waits, and not before.

use std::sync::Arc;

use partita_graph::{Failure, Key};

use super::memory::Room;
use super::{Claim, Phase, Task, Worker};
use crate::protocol::{Attempt, ToScheduler, WorkerAction, WorkerId};

/// What an operator that ended well left.
pub(super) struct Made {
    pub nbytes: u64,
    pub spillable: bool,
    pub micros: u64,
    pub notes: Vec<String>,
    pub value: Option<Arc<[u8]>>,
}

impl Worker {
    /// Starts what can be started. The first ready task is not overtaken while it waits for memory, or large tasks would
    /// never run.
    pub(super) fn start(&mut self) {
        while self.running < self.config.threads && !(self.pressure.paused && self.running > 0) {
            let next = self.ready.first().map(|(_, key)| *key);
            if self.claim.as_ref().is_some_and(|claim| Some(claim.key) != next || claim.inputs_changed) {
                self.unclaim();
                continue;
            }
            let Some(key) = next else { return };
            if let Some(held) = self.chunks.get(&key) {
                if held.doomed && !(held.is_sound() && held.pins > 0) {
                    self.block(key);
                } else {
                    self.answer_with_copy(key);
                }
                continue;
            }
            if self.claim.is_none()
                && let Some(input) = self.vanished_input(key)
            {
                self.give_back(key, input, Vec::new());
                continue;
            }
            if self.memory_is_limited() {
                if self.admit(key) == Room::Wait {
                    return;
                }
            } else {
                self.take_thread(key, 0);
                self.execute(key);
            }
        }
    }

    /// A chunk of the same key is on its way out and must be gone first.
    fn block(&mut self, key: Key) {
        let task = self.tasks.get_mut(&key).expect("a ready task");
        task.phase = Phase::Blocked;
        self.ready.remove(&(task.assignment.priority, key));
    }

    /// A copy came from a peer while the task waited, or an older one is in use still: there is nothing to run.
    fn answer_with_copy(&mut self, key: Key) {
        let attempt = self.remove_task(key).assignment.attempt;
        let held = self.chunks.get_mut(&key).expect("looked up by the caller");
        held.counts_as(attempt);
        let done = ToScheduler::Finished { key, attempt, nbytes: held.size, micros: 0, notes: Vec::new(), value: None };
        self.out.push(WorkerAction::Send(done));
        if self.gather.needs.get(&(key, None)).is_some_and(|need| need.is_wanted() && need.in_flight.is_none()) {
            self.fetched(key, None, 0);
        }
    }

    /// An input that was here when the task came and is not any more.
    fn vanished_input(&self, key: Key) -> Option<Key> {
        let task = &self.tasks[&key];
        if task.seen == self.event {
            return None;
        }
        task.chunks().find(|key| !self.is_held(*key))
    }

    fn take_thread(&mut self, key: Key, reserved: u64) {
        let task = self.tasks.get_mut(&key).expect("a ready task");
        self.ready.remove(&(task.assignment.priority, key));
        task.reserved = reserved;
        self.memory.reserved += reserved;
        self.running += 1;
    }

    /// The first ready task keeps its inputs where they are and looks for room, at a cost of its inputs once.
    fn claim(&mut self, key: Key) -> u64 {
        if let Some(claim) = &self.claim {
            return claim.needed;
        }
        let readings = self.readings(key);
        let mut needed = self.tasks[&key].assignment.expected;
        self.make_room_for_readers(needed, &readings);
        for (chunk, parts) in readings {
            self.pin(chunk);
            needed += self.chunks[&chunk].missing(parts);
        }
        self.claim = Some(Claim { key, needed, inputs_changed: false });
        needed
    }

    /// Tasks that read a part each of the same chunks keep these in their places as long as one of them runs or is next. So before they do there is
    /// made room for as many of them as there are threads: else what is in memory would leave it to one at a time.
    fn make_room_for_readers(&mut self, expected: u64, readings: &[(Key, Option<u64>)]) {
        let Some(parts) = readings.iter().find_map(|(_, parts)| *parts) else { return };
        let Some(target) = self.config.mark(self.config.target) else { return };
        // All at once would need all that is written.
        let tasks = u64::from(self.config.threads - self.running).min(parts - 1);
        let of_parts = readings.iter().filter(|(_, parts)| parts.is_some());
        let each = expected + of_parts.map(|(chunk, parts)| self.chunks[chunk].missing(*parts)).sum::<u64>();
        let wanted = self.promised() + each * tasks;
        let lacking = (self.memory.resident - self.memory.spilling + wanted).saturating_sub(target);
        // Of what is written for them, each needs its part again.
        self.spill_down(wanted + lacking * tasks / (parts - tasks), target);
    }

    /// The task that waited for memory is not the first any more, or must look at its inputs again.
    pub(super) fn unclaim(&mut self) {
        let Some(claim) = self.claim.take() else { return };
        let chunks: Vec<Key> = self.tasks[&claim.key].chunks().collect();
        chunks.into_iter().for_each(|chunk| self.unpin(chunk));
    }

    /// The chunks that the task reads, and of how many parts it reads one, where it does not read all: then only that part need come to
    /// memory, if the shell maps files.
    fn readings(&self, key: Key) -> Vec<(Key, Option<u64>)> {
        let task = &self.tasks[&key];
        let parts = u64::from(task.assignment.layer.len.max(1));
        task.reads().map(|input| (input.key, input.part.map(|_| parts))).collect()
    }

    /// Gives the task memory and a thread, or says that it must wait.
    fn admit(&mut self, key: Key) -> Room {
        let needed = self.claim(key);
        let idle = self.running == 0 && self.gather.fetching == 0;
        if self.make_room(needed, idle) == Room::Wait {
            return Room::Wait;
        }
        // Its pins are the running task's from now on.
        self.claim = None;
        let expected = self.tasks[&key].assignment.expected;
        self.take_thread(key, expected);
        let mut missing = 0;
        for (chunk, parts) in self.readings(key) {
            missing += u32::from(self.bring_back(chunk, parts, key));
        }
        if missing == 0 {
            self.execute(key);
        } else {
            self.tasks.get_mut(&key).expect("a ready task").phase = Phase::Loading { missing };
        }
        Room::Granted
    }

    pub(super) fn execute(&mut self, key: Key) {
        let task = self.tasks.get_mut(&key).expect("a task with a thread");
        (task.phase, task.began) = (Phase::Executing, self.now);
        let assignment = Arc::clone(&task.assignment);
        if assignment.attempt > 1 {
            self.out.push(WorkerAction::Send(ToScheduler::Started { key, attempt: assignment.attempt }));
        }
        if let Some(limit) = assignment.timeout {
            self.set_deadline(key, limit);
        }
        self.out.push(WorkerAction::Execute(assignment));
    }

    pub(super) fn ran(&mut self, key: Key, attempt: Attempt, made: Made) {
        let Some(task) = self.end_executing(key, attempt) else { return };
        let Made { nbytes, spillable, micros, notes, value } = made;
        if task.abandoned {
            if !self.chunks.contains_key(&key) {
                self.out.push(WorkerAction::Drop(key));
            }
        } else {
            match self.chunks.get_mut(&key) {
                // A copy came from a peer meanwhile: the same chunk, counted already.
                Some(held) => {
                    held.counts_as(attempt);
                    self.touch(key);
                }
                None => self.hold(key, nbytes, spillable, attempt),
            }
            self.report_spills();
            self.out.push(WorkerAction::Send(ToScheduler::Finished { key, attempt, nbytes, micros, notes, value }));
            self.made_here(key);
        }
        self.after(task);
    }

    /// Tasks that wait for this chunk from a peer need not any more, unless it is on its way.
    fn made_here(&mut self, key: Key) {
        let piece = (key, None);
        if self.gather.needs.get(&piece).is_some_and(|need| need.in_flight.is_none())
            && let Some(need) = self.gather.remove(piece)
        {
            if need.copy {
                self.say_again(key);
            }
            self.one_less_missing(need.waiters);
        }
    }

    pub(super) fn run_failed(&mut self, key: Key, attempt: Attempt, failure: Failure) {
        let Some(task) = self.end_executing(key, attempt) else { return };
        if !task.abandoned {
            self.out.push(WorkerAction::Send(ToScheduler::Failed { key, attempt, failure }));
        }
        self.after(task);
    }

    /// The operator was not called, because an input that is on disk only cannot be read any more.
    pub(super) fn input_lost(&mut self, key: Key, attempt: Attempt, input: Key) {
        self.load_failed(input);
        let Some(task) = self.end_executing(key, attempt) else { return };
        if !task.abandoned {
            self.out.push(WorkerAction::Send(ToScheduler::MissingInput { key, attempt, input, asked: Vec::new() }));
        }
        self.after(task);
    }

    /// The task, if it is this try of it that executes. An answer that comes twice finds nothing.
    fn end_executing(&mut self, key: Key, attempt: Attempt) -> Option<Task> {
        let task = self.tasks.get(&key)?;
        if task.phase != Phase::Executing || task.assignment.attempt != attempt {
            return None;
        }
        Some(self.remove_task(key))
    }

    fn after(&mut self, task: Task) {
        if task.abandoned {
            self.abandoned -= 1;
            self.thread_is_back();
            self.out.push(WorkerAction::Send(ToScheduler::Ended(task.assignment.key, task.assignment.attempt)));
        }
        if let Some(next) = task.next {
            self.assigned(*next);
        }
        self.relieve();
    }

    /// Takes the task out, with all that it occupies.
    pub(super) fn remove_task(&mut self, key: Key) -> Task {
        if self.claim.as_ref().is_some_and(|claim| claim.key == key) {
            self.unclaim();
        }
        let task = self.tasks.remove(&key).expect("a task");
        if let Some(at) = task.deadline {
            self.deadlines.remove(&(at, key));
        }
        match task.phase {
            Phase::Gathering { .. } | Phase::Blocked => {}
            Phase::Ready => {
                self.ready.remove(&(task.assignment.priority, key));
            }
            Phase::Loading { .. } | Phase::Executing => {
                if task.waits {
                    self.waiting -= 1;
                } else {
                    self.running -= 1;
                }
                self.memory.reserved -= task.reserved;
                if self.memory_is_limited() {
                    if task.phase != Phase::Executing {
                        self.memory.stop_waiting(key);
                    }
                    task.chunks().for_each(|chunk| self.unpin(chunk));
                }
            }
        }
        self.let_go_of_pieces(task.serial, &task.pieces);
        task
    }

    /// The task cannot go on for want of an input. It may have gone already, if it waited for the input twice.
    pub(super) fn give_back(&mut self, key: Key, input: Key, asked: Vec<WorkerId>) {
        if self.tasks.contains_key(&key) {
            let task = self.remove_task(key);
            let missing = ToScheduler::MissingInput { key, attempt: task.assignment.attempt, input, asked };
            self.out.push(WorkerAction::Send(missing));
        }
    }
}
