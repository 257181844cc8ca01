//! Chunks and workers go away. There is one path for "a worker is gone", whatever the reason, and one for "the last copy is
//! lost": what is still wanted is made again, with as much of its past as that takes and no more.

use partita_graph::{Code, Failure, Key, TaskPlace};

use super::Scheduler;
use super::record::{State, TaskId, visit};
use super::story::Happening;
use super::workers::{MOST_WORKERS, WorkerRecord};
use crate::protocol::{About, Attempt, Gone, SchedulerAction, ToWorker, WorkerId};

impl Scheduler {
    pub(super) fn joined(&mut self, worker: WorkerId, about: About) {
        let why = if self.workers.contains(worker) {
            "a worker of this number is connected already"
        } else if self.workers.iter().any(|(_, record)| record.about.name == about.name) {
            "a worker of this name is connected already"
        } else if worker.0 >= MOST_WORKERS {
            "the number of the worker is too large"
        } else {
            self.workers.insert(worker, WorkerRecord::new(about, self.now), self.config.saturation);
            self.refit_demands();
            self.touch(worker);
            return;
        };
        self.out.push(SchedulerAction::Disconnect(worker, why));
    }

    /// What is waiting to be sent to this worker is placed anew.
    pub(super) fn take_back_unsent(&mut self, worker: WorkerId) {
        let record = self.workers.known(worker);
        let (backlog, claims) = (std::mem::take(&mut record.backlog), std::mem::take(&mut record.claims));
        record.backlog_micros = 0;
        self.place_anew(backlog.into_keys().map(|(_, task)| task).collect(), &claims);
        self.workers.reindex(worker, self.config.saturation);
    }

    fn place_anew(&mut self, backlog: Vec<TaskId>, claims: &super::queue::Queue) {
        self.fresh.extend(backlog);
        claims.ranges().for_each(|(first, end)| self.queue_range(Some((first, end))));
    }

    pub(super) fn link_lost(&mut self, worker: WorkerId) {
        if self.workers.contains(worker) {
            self.workers.change(worker, |record| record.linked = false, self.config.saturation);
            self.take_back_unsent(worker);
            self.end_steals_of(worker);
        }
    }

    pub(super) fn link_back(&mut self, worker: WorkerId) {
        if self.workers.contains(worker) {
            self.workers.change(worker, |record| record.linked = true, self.config.saturation);
            self.touch(worker);
        }
    }

    /// A worker says how much it holds.
    pub(super) fn measured(&mut self, worker: WorkerId, managed: u64, spilled: u64, paused: bool, rss: u64) {
        let record = self.workers.known(worker);
        (record.managed, record.spilled, record.rss) = (managed, spilled, rss);
        if record.paused == paused {
            return;
        }
        self.workers.change(worker, |record| record.paused = paused, self.config.saturation);
        if paused {
            self.take_back_unsent(worker);
        }
        self.touch(worker);
    }

    pub(super) fn worker_gone(&mut self, worker: WorkerId, reason: Gone) {
        if !self.workers.contains(worker) {
            return;
        }
        self.take_back_unsent(worker);
        self.end_steals_of(worker);
        let assigned: Vec<TaskId> = self.workers.known(worker).tasks.tasks().collect();
        assigned.iter().for_each(|task| self.take_from(*task, worker));
        self.lingering.retain(|(at, ..), _| *at != worker);
        self.retiring.remove(&worker);
        let held = self.held_at(worker);
        let about = self.workers.remove(worker).expect("just seen").about;
        self.touched.retain(|touched| *touched != worker);
        self.refit_demands();
        self.tell_peers(worker);
        let doomed: Vec<TaskId> = assigned.iter().copied().filter(|task| self.blame(*task, &reason)).collect();
        for task in assigned {
            self.stories.tell(self.now, self.key_of(task), Happening::GivenBack { worker });
            self.take_back(task);
        }
        for (task, _) in held {
            self.forget_holder(task, worker);
        }
        self.end_copies_to(worker);
        for task in doomed {
            self.fail_as_killer(task, &about, &reason);
        }
    }

    /// Whoever was told that this worker holds something may be asking it in vain.
    fn tell_peers(&mut self, gone: WorkerId) {
        for peer in self.workers.ids().collect::<Vec<_>>() {
            if self.workers.known(peer).peers.remove(gone.0) {
                self.out.push(SchedulerAction::Send(peer, ToWorker::PeerGone(gone)));
            }
        }
    }

    fn end_copies_to(&mut self, worker: WorkerId) {
        let to: Vec<TaskId> = self.copies.moving.iter().filter(|(_, copy)| copy.to == worker).map(|(task, _)| *task).collect();
        for task in to {
            if let Some(copy) = self.copies.end(task, &mut self.workers) {
                self.copies.stored(task);
                self.retirements_try_again(task, copy.to);
            }
        }
    }

    /// One more death under this task, if it had a part in it. True when it is one too many. When somebody saw what was
    /// executing that is all that counts; otherwise the first death counts for every task that the worker had, and later ones
    /// for those that it said it had started.
    fn blame(&mut self, task: TaskId, reason: &Gone) -> bool {
        let Gone::Died { executing, .. } = reason else { return false };
        let (key, allowed) = (self.key_of(task), self.config.allowed_failures);
        let record = self.record_mut(task);
        let (suspect, convicted) = match executing {
            Some(list) => {
                let listed = list.contains(&(key, record.attempt));
                (listed, listed)
            }
            None => (record.attempt == 1 || record.started, record.started),
        };
        record.blame = record.blame.saturating_add(u8::from(suspect));
        convicted && u32::from(record.blame) > allowed
    }

    fn fail_as_killer(&mut self, task: TaskId, last: &About, reason: &Gone) {
        // The failure of another task of this worker may have ended the runs that wanted this one.
        let alive = self.slots[task.slot as usize].as_ref().is_some_and(|slot| slot.records[task.index as usize].state.is_active());
        if !alive {
            return;
        }
        let what = format!("task {} {} was running each time a worker died", self.slot(task.slot).layer.name, self.key_of(task));
        let mut failure = Failure::new(Code::KilledWorker, what)
            .detail("deaths", self.record(task).blame.to_string())
            .detail("last worker", format!("{} on {}", last.name, last.host));
        if let Gone::Died { why, .. } = reason
            && !why.is_empty()
        {
            failure = failure.detail("it died of", why.clone());
        }
        // It was taken back already, so the try that died is the one before.
        let place = self.place_of(task, self.record(task).attempt - 1);
        let failure = failure
            .help("if memory is the reason, use smaller partitions or a larger limit")
            .origin(self.slot(task.slot).layer.origin.as_ref())
            .task(TaskPlace { worker: Some(last.name.clone()), ..place });
        self.fail(task, failure);
    }

    /// The task leaves its worker without a result: the next try has another number, and what is missing is counted again.
    pub(super) fn take_back(&mut self, task: TaskId) {
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
                missing += u32::from(producer.unstored() > 0);
            } else {
                let inputs = edge.wiring.inputs(task.index, producer.layer.len);
                visit(&inputs, |index| missing += u32::from(!producer.records[index as usize].state.is_stored()));
            }
        }
        missing
    }

    /// The worker does not hold the chunk any more. False when it was not known to.
    pub(super) fn forget_holder(&mut self, task: TaskId, worker: WorkerId) -> bool {
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
        self.set_state(task, State::Stored { holder: first });
        match holders.len() {
            1 => self.replicas.remove(&task),
            _ => self.replicas.insert(task, holders.split_off(1)),
        };
        self.copies.stored(task);
        self.fewer_holders(task);
        true
    }

    /// The last copy of a wanted chunk is gone: its readers wait again, and it is made again.
    fn lose(&mut self, task: TaskId) {
        self.stories.tell(self.now, self.key_of(task), Happening::Lost);
        self.replicas.remove(&task);
        self.copies.end(task, &mut self.workers);
        let slot = self.slot_mut(task.slot);
        slot.set(task.index, State::Idle);
        let was_complete = slot.unstored() == 1;
        let wanting = !slot.wanting.is_empty();
        let record = &mut slot.records[task.index as usize];
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
        let Some(task) = self.expected_answer(worker, key, attempt) else {
            return self.stop_lingering(worker, key, attempt);
        };
        self.stories.tell(self.now, key, Happening::GivenBack { worker });
        self.take_from(task, worker);
        if let Some(failure) = self.read_in_vain(task, worker, asked) {
            return self.fail(task, failure);
        }
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
                self.copied(task, worker);
            }
            None | Some((_, State::Idle)) => self.frees.entry(worker).or_default().push(key),
            Some((task, _)) => self.adopt(worker, task),
        }
    }

    /// The copy counts as the result of a task that was to run again.
    fn adopt(&mut self, worker: WorkerId, task: TaskId) {
        let key = self.key_of(task);
        let record = self.record_mut(task);
        let (state, attempt, nbytes) = (record.state, record.attempt, record.nbytes());
        record.started = false;
        if let State::Assigned { worker: at } = state {
            if at != worker {
                self.linger(task, at);
            }
            self.take_from(task, at);
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
