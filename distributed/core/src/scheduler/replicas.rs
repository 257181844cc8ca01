//! How many copies of a chunk there are: one, or as many as were asked for. Copies that reading has left behind are dropped
//! when nobody is about to read them.
//!
//! It refuses to drop a last copy, or one beside a task that is about to read it, and it does a bounded amount of work each
//! time, however many chunks there are.

use partita_graph::Key;

use super::Scheduler;
use super::copies::{Copy, Purpose};
use super::record::{State, TaskId};
use super::story::Happening;
use crate::protocol::{SchedulerAction, ToWorker, WorkerId};

/// Chunks that are looked at each time.
const LOOKED_AT: usize = 4096;
/// Copies on their way at a time.
const MOVING: usize = 256;

impl Scheduler {
    pub(super) fn replicate(&mut self, keys: &[Key], copies: u32) {
        for task in keys.iter().filter_map(|key| self.find(*key)).collect::<Vec<_>>() {
            if self.record(task).state == State::Idle {
                continue;
            }
            match copies {
                0 | 1 => self.copies.forget_wish(task),
                _ => {
                    self.copies.wishes.insert(task, copies);
                    self.copies.short.insert(task);
                }
            }
        }
    }

    /// Starts copies that are wanted, as far as there is room for more.
    pub(super) fn copy(&mut self) {
        while self.copies.moving.len() < MOVING {
            let Some(task) = self.copies.short.pop_first() else { break };
            let wanted = self.copies.wishes.get(&task).copied().unwrap_or(1) as usize;
            if self.record(task).state.is_stored() && self.staying(task) < wanted && !self.copies.moving.contains_key(&task) {
                self.start_copy(task, Purpose::Wish, &[]);
            }
        }
        while self.copies.moving.len() < MOVING {
            let Some((task, from, to)) = self.copies.balance.pop_front() else { break };
            let holders = if self.is_stored(task) { self.holders_of(task) } else { Vec::new() };
            let fits = self.workers.get(to).is_some_and(|record| record.is_usable()) && !holders.contains(&to);
            if fits && holders.contains(&from) && !self.copies.moving.contains_key(&task) {
                self.copy_to(task, to, Purpose::Balance(from));
            }
        }
    }

    fn is_stored(&self, task: TaskId) -> bool {
        let slot = self.slots.get(task.slot as usize).and_then(Option::as_ref);
        slot.and_then(|slot| slot.records.get(task.index as usize)).is_some_and(|record| record.state.is_stored())
    }

    /// Holders that do not retire.
    pub(super) fn staying(&self, task: TaskId) -> usize {
        let stays = |worker: &WorkerId| self.workers.get(*worker).is_some_and(|record| !record.retiring);
        self.holders_of(task).iter().filter(|worker| stays(worker)).count()
    }

    /// Asks the emptiest worker that has none, and was not tried, to fetch a copy. False when there is nobody.
    pub(super) fn start_copy(&mut self, task: TaskId, purpose: Purpose, tried: &[WorkerId]) -> bool {
        let holders = self.holders_of(task);
        let free = |id: &WorkerId| !holders.contains(id) && !tried.contains(id);
        let able = self.workers.iter().filter(|(id, record)| record.is_usable() && free(id));
        let best = able.min_by_key(|(id, record)| (record.fullness(), record.managed + record.incoming, *id));
        let Some(to) = best.map(|(id, _)| id) else { return false };
        self.copy_to(task, to, purpose);
        true
    }

    fn copy_to(&mut self, task: TaskId, to: WorkerId, purpose: Purpose) {
        let (key, nbytes, holders) = (self.key_of(task), self.record(task).nbytes(), self.holders_for(task, to));
        self.name_peers(to, &holders);
        self.workers.known(to).incoming += nbytes;
        self.copies.moving.insert(task, Copy { to, nbytes, purpose });
        self.stories.tell(self.now, key, Happening::CopyAsked { worker: to });
        // What it was just told to drop may be what it is to fetch now: it must hear of that first, or it answers that it has it.
        self.flush_frees();
        self.out.push(SchedulerAction::Send(to, ToWorker::Acquire { key, nbytes, holders }));
    }

    /// A worker has a copy that it was asked for.
    pub(super) fn copied(&mut self, task: TaskId, worker: WorkerId) {
        if self.copies.moving.get(&task).is_none_or(|copy| copy.to != worker) {
            return;
        }
        let copy = self.copies.end(task, &mut self.workers).expect("just seen");
        self.workers.known(worker).managed += copy.nbytes;
        self.stories.tell(self.now, self.key_of(task), Happening::Copied { worker });
        self.copies.stored(task);
        if self.staying(task) == 0 {
            // The recipient is to retire too.
            self.fewer_holders(task);
        }
        if let Purpose::Balance(from) = copy.purpose
            && !self.is_read_at(task, from)
            && self.holders_of(task).len() > 1
        {
            self.drop_copy(task, from);
        }
    }

    pub(super) fn acquire_failed(&mut self, worker: WorkerId, key: Key, asked: &[WorkerId]) {
        let Some(task) = self.find(key) else { return };
        if self.copies.moving.get(&task).is_none_or(|copy| copy.to != worker) {
            return;
        }
        let copy = self.copies.end(task, &mut self.workers).expect("just seen");
        self.retirements_try_again(task, copy.to);
        // With one holder it is the recipient that cannot reach it, or the holder that is gone, of which more will be heard.
        if self.record(task).state.is_stored() && self.holders_of(task).len() > asked.len() {
            for holder in asked {
                if self.forget_holder(task, *holder) {
                    self.frees.entry(*holder).or_default().push(key);
                }
            }
        }
    }

    fn drop_copy(&mut self, task: TaskId, worker: WorkerId) {
        let key = self.key_of(task);
        if self.forget_holder(task, worker) {
            self.stories.tell(self.now, key, Happening::Dropped { worker });
            self.frees.entry(worker).or_default().push(key);
        }
    }

    /// Looks at some chunks with several copies, and again at some wishes.
    pub(super) fn tidy_copies(&mut self) {
        let from = self.copies.cursor.take().unwrap_or(TaskId { slot: 0, index: 0 });
        let tasks: Vec<TaskId> = self.replicas.range(from..).map(|(task, _)| *task).take(LOOKED_AT).collect();
        if tasks.len() == LOOKED_AT {
            self.copies.cursor = tasks.last().copied();
        }
        tasks.into_iter().for_each(|task| self.reduce(task));
        let short: Vec<TaskId> = self.copies.wishes.keys().copied().take(LOOKED_AT).collect();
        self.copies.short.extend(short);
        self.copy();
    }

    /// Drops copies beyond those wished for and those that waiting readers may still use, the fullest holders first.
    fn reduce(&mut self, task: TaskId) {
        if self.copies.moving.contains_key(&task) {
            return;
        }
        let slot = self.slot(task.slot);
        let runs = self.wanting(task).len() as u32;
        let readers = slot.records[task.index as usize].wanted - runs + slot.barrier_wanted;
        let wished = self.copies.wishes.get(&task).copied().unwrap_or(1);
        let keep = readers.max(wished).max(1) as usize;
        let mut holders = self.holders_of(task);
        if holders.len() <= keep {
            return;
        }
        let staying = self.staying(task);
        holders.sort_by_key(|id| self.workers.get(*id).map(|record| (record.retiring, record.fullness(), *id)));
        let (mut left, mut staying) = (holders.len(), staying);
        while left > keep
            && let Some(worker) = holders.pop()
        {
            let retiring = self.workers.get(worker).is_some_and(|record| record.retiring);
            // A copy on a retiring worker does not count as the last one.
            if self.is_read_at(task, worker) || (!retiring && staying <= 1) {
                continue;
            }
            left -= 1;
            staying -= usize::from(!retiring);
            self.drop_copy(task, worker);
        }
    }

    /// Whether a task that the worker has reads this chunk.
    pub(super) fn is_read_at(&self, task: TaskId, worker: WorkerId) -> bool {
        let Some(record) = self.workers.get(worker) else { return false };
        let producer = self.slot(task.slot);
        producer.readers.iter().any(|&(slot, edge)| {
            let wiring = &self.slot(slot).layer.edges[edge as usize].wiring;
            let mut found = false;
            for reader in record.tasks.of_slot(slot) {
                super::record::visit(&wiring.inputs(reader, producer.layer.len), |index| found |= index == task.index);
            }
            found
        })
    }

    /// Chunks that this worker holds, with their sizes. O(tasks).
    pub(super) fn held_at(&self, worker: WorkerId) -> Vec<(TaskId, u64)> {
        let mut found = Vec::new();
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(slot) = slot.as_ref().filter(|slot| slot.counts[4] > 0) else { continue };
            for (index, record) in slot.records.iter().enumerate() {
                let task = TaskId { slot: at as u32, index: index as u32 };
                let State::Stored { holder } = record.state else { continue };
                if holder == worker || self.replicas.get(&task).is_some_and(|more| more.contains(&worker)) {
                    found.push((task, record.nbytes()));
                }
            }
        }
        found
    }
}

impl super::copies::Copies {
    fn forget_wish(&mut self, task: TaskId) {
        self.wishes.remove(&task);
        self.short.remove(&task);
    }
}
