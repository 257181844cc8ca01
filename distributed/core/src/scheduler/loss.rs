//! Chunks and workers go away. There is one path for "a worker is gone", whatever the reason, and one for "the last copy is
//! lost": what is still wanted is made again, with as much of its past as that takes and no more.

use partita_graph::{Code, Failure, Key};

use super::record::{State, TaskId, visit};
use super::story::Happening;
use super::{Scheduler, WorkerRecord};
use crate::protocol::{Attempt, Gone, SchedulerAction, ToWorker, WorkerId};

impl Scheduler {
    pub(super) fn joined(&mut self, worker: WorkerId, threads: u32) {
        if self.workers.contains_key(&worker) {
            self.out.push(SchedulerAction::Disconnect(worker, "a worker of this number is connected already"));
            return;
        }
        let threads = threads.max(1);
        let record = WorkerRecord { threads, assigned: 0, managed: 0, spilled: 0, paused: false, backlog: Default::default() };
        self.workers.insert(worker, record);
    }

    pub(super) fn worker_gone(&mut self, worker: WorkerId, reason: Gone) {
        let Some(record) = self.workers.remove(&worker) else { return };
        self.fresh.extend(record.backlog.iter().map(|(_, task)| *task));
        let mut assigned = Vec::new();
        let mut held = Vec::new();
        for (at, slot) in self.slots.iter().enumerate() {
            for (index, record) in slot.iter().flat_map(|slot| slot.records.iter().enumerate()) {
                let task = TaskId { slot: at as u32, index: index as u32 };
                match record.state {
                    State::Assigned { worker: at } if at == worker => assigned.push(task),
                    State::Stored { holder } if holder == worker || self.replicas.contains_key(&task) => held.push(task),
                    _ => {}
                }
            }
        }
        let doomed: Vec<TaskId> = match reason {
            Gone::Died { .. } => assigned.iter().copied().filter(|task| self.blame(*task)).collect(),
            Gone::Retired | Gone::Unreachable => Vec::new(),
        };
        for task in assigned {
            self.stories.tell(self.now, self.key_of(task), Happening::GivenBack { worker });
            self.take_back(task);
        }
        for task in held {
            self.forget_holder(task, worker);
        }
        for task in doomed {
            self.fail_as_killer(task);
        }
    }

    /// One more death under this task. True when it is one too many.
    fn blame(&mut self, task: TaskId) -> bool {
        let allowed = self.config.allowed_failures;
        let record = self.record_mut(task);
        let observed = record.attempt > 1;
        if !observed || record.started {
            record.blame = record.blame.saturating_add(1);
        }
        record.started && u32::from(record.blame) > allowed
    }

    fn fail_as_killer(&mut self, task: TaskId) {
        // The failure of another task of this worker may have ended the runs that wanted this one.
        let alive = self.slots[task.slot as usize].as_ref().is_some_and(|slot| slot.records[task.index as usize].state.is_active());
        if !alive {
            return;
        }
        let what = format!("task {} {} was running each time a worker died", self.slot(task.slot).layer.name, self.key_of(task));
        let failure = Failure::new(Code::KilledWorker, what)
            .detail("deaths", self.record(task).blame.to_string())
            .help("if memory is the reason, use smaller partitions or a larger limit")
            .origin(self.slot(task.slot).layer.origin.as_ref());
        self.fail(task, failure);
    }

    /// The task leaves its worker without a result: the next try has another number, and what is missing is counted again.
    fn take_back(&mut self, task: TaskId) {
        let missing = self.count_missing(task);
        let record = self.record_mut(task);
        record.attempt += 1;
        record.started = false;
        self.set_waiting(task, missing);
    }

    pub(super) fn count_missing(&self, task: TaskId) -> u32 {
        let slot = self.slot(task.slot);
        let mut missing = 0;
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            let producer = self.slot(to.producer);
            if edge.wiring.is_barrier() {
                missing += u32::from(producer.unstored > 0);
            } else {
                let inputs = edge.wiring.inputs(task.index, producer.layer.len);
                visit(&inputs, |index| missing += u32::from(!producer.records[index as usize].state.is_stored()));
            }
        }
        missing
    }

    /// The worker does not hold the chunk any more. False when it was not known to.
    fn forget_holder(&mut self, task: TaskId, worker: WorkerId) -> bool {
        let mut holders = self.holders_of(task);
        let before = holders.len();
        holders.retain(|holder| *holder != worker);
        if holders.len() == before {
            return false;
        }
        let Some(&first) = holders.first() else {
            self.lose(task);
            return true;
        };
        self.record_mut(task).state = State::Stored { holder: first };
        match holders.len() {
            1 => self.replicas.remove(&task),
            _ => self.replicas.insert(task, holders.split_off(1)),
        };
        true
    }

    /// The last copy of a wanted chunk is gone: its readers wait again, and it is made again.
    fn lose(&mut self, task: TaskId) {
        self.stories.tell(self.now, self.key_of(task), Happening::Lost);
        self.replicas.remove(&task);
        let slot = self.slot_mut(task.slot);
        slot.unstored += 1;
        let was_complete = slot.unstored == 1;
        let wanting = !slot.wanting.is_empty();
        let record = &mut slot.records[task.index as usize];
        record.state = State::Idle;
        record.attempt += 1;
        record.started = false;
        self.for_readers(task, Self::one_more_missing);
        if was_complete {
            self.for_barrier_readers(task.slot, Self::one_more_missing);
        }
        if wanting {
            self.count_result(task, true);
        }
        self.activate(vec![task]);
    }

    /// Readers that a worker has already find out by themselves: they had fetched the chunk, or they report it missing.
    fn one_more_missing(&mut self, reader: TaskId) {
        match self.record(reader).state {
            State::Waiting { missing } => self.set_waiting(reader, missing + 1),
            State::Ready => self.set_waiting(reader, 1),
            _ => {}
        }
    }

    /// A worker could not get an input anywhere: those it asked do not count as holders, and the task is placed again.
    pub(super) fn missing_input(&mut self, worker: WorkerId, key: Key, attempt: Attempt, input: Key, asked: &[WorkerId]) {
        let Some(task) = self.expected_answer(worker, key, attempt) else { return };
        self.stories.tell(self.now, key, Happening::GivenBack { worker });
        self.workers.get_mut(&worker).expect("it just spoke").assigned -= 1;
        self.take_back(task);
        let here = [worker];
        for holder in if asked.is_empty() { &here } else { asked } {
            if let Some(chunk) = self.find(input)
                && self.forget_holder(chunk, *holder)
            {
                // It may have the chunk and only be out of reach; a copy that nobody counts must not stay.
                self.frees.entry(*holder).or_default().push(input);
            }
        }
    }

    pub(super) fn lost_at(&mut self, worker: WorkerId, key: Key) {
        if let Some(task) = self.find(key) {
            self.forget_holder(task, worker);
        }
    }

    /// A worker has a copy. If the chunk was thought lost meanwhile, the copy saves making it again.
    pub(super) fn replicated(&mut self, worker: WorkerId, key: Key) {
        let state = self.find(key).map(|task| (task, self.record(task).state));
        match state {
            Some((task, State::Stored { holder })) => {
                let more = self.replicas.get(&task);
                if holder != worker && !more.is_some_and(|more| more.contains(&worker)) {
                    self.replicas.entry(task).or_default().push(worker);
                }
            }
            None | Some((_, State::Idle)) => self.frees.entry(worker).or_default().push(key),
            Some((task, _)) => self.adopt(worker, task),
        }
    }

    /// The copy counts as the result of a task that was to run again.
    fn adopt(&mut self, worker: WorkerId, task: TaskId) {
        let key = self.key_of(task);
        let record = self.record_mut(task);
        let (state, attempt, nbytes) = (record.state, record.attempt, record.nbytes);
        record.started = false;
        if let State::Assigned { worker: at } = state {
            self.workers.get_mut(&at).expect("assigned to a known worker").assigned -= 1;
        }
        // A worker that was itself asked to make the chunk will still say that it has it: its answer then changes nothing.
        if state != (State::Assigned { worker }) {
            self.record_mut(task).attempt += 1;
            if let State::Assigned { worker: at } = state {
                self.out.push(SchedulerAction::Send(at, ToWorker::Abandon(key, attempt)));
            }
        }
        self.stories.tell(self.now, key, Happening::Finished { worker, nbytes });
        self.store(task, worker, nbytes);
    }
}
