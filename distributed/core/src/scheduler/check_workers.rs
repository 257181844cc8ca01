//! The second half of `check`: what is written down of workers, of steals, copies and retirements.

use std::collections::BTreeMap;

use partita_graph::Milli;

use super::Scheduler;
use super::record::{State, TaskId};
use crate::protocol::WorkerId;

impl Scheduler {
    pub(super) fn check_workers(&self) {
        self.workers.check(self.config.saturation);
        let mut expecting: BTreeMap<WorkerId, u32> = BTreeMap::new();
        for (task, steal) in &self.steals {
            assert_eq!(self.record(*task).state, State::Assigned { worker: steal.victim }, "{task:?} is asked back from who has it");
            let waits = self.workers.get(steal.victim).is_some_and(|record| record.tasks.waits(*task));
            assert!(!waits, "{task:?} is asked back though it waits inside");
            steal.thief.iter().for_each(|thief| *expecting.entry(*thief).or_default() += 1);
        }
        let mut incoming: BTreeMap<WorkerId, u64> = BTreeMap::new();
        self.copies.moving.values().for_each(|copy| *incoming.entry(copy.to).or_default() += copy.nbytes);
        for (id, record) in self.workers.iter() {
            let waiting = record.tasks.tasks().filter(|task| record.tasks.waits(*task)).count();
            assert_eq!(record.tasks.waiting() as usize, waiting, "tasks that wait inside at worker {}", id.0);
            let running = record.tasks.costs().filter(|(task, _)| !record.tasks.waits(*task));
            let micros: u64 = running.map(|(_, cost)| u64::from(cost.micros)).sum();
            assert_eq!(record.occupancy, micros, "occupancy of worker {}", id.0);
            let bytes: u64 = record.tasks.costs().map(|(_, cost)| u64::from(cost.bytes)).sum();
            assert_eq!(record.ahead_bytes, bytes, "bytes ahead of worker {}", id.0);
            let backlog: u64 = record.backlog.values().map(|micros| u64::from(*micros)).sum();
            assert_eq!(record.backlog_micros, backlog, "backlog of worker {}", id.0);
            assert_eq!(record.expecting, expecting.remove(&id).unwrap_or(0), "tasks that worker {} may steal", id.0);
            assert_eq!(record.incoming, incoming.remove(&id).unwrap_or(0), "copies on their way to worker {}", id.0);
            assert_eq!(record.retiring, self.retiring.contains_key(&id), "whether worker {} retires", id.0);
            self.check_resources(id);
        }
        assert!(expecting.is_empty() && incoming.is_empty(), "workers that are gone expect nothing");
        self.check_idleness();
    }

    /// Nobody has nothing to do while tasks of the common queue wait, but for a moment that the machine says the end of.
    fn check_idleness(&self) {
        match self.wakes() {
            Some(at) => assert!(at >= self.now, "what was held back until {at} is given out by then"),
            None => {
                let mut queued =
                    self.roots.ranges().flat_map(|(first, end)| (first.index..end).map(move |index| TaskId { index, ..first }));
                let idle = self.workers.open().next();
                assert!(idle.is_none() || !queued.any(|task| self.is_ready(task)), "{idle:?} has room while tasks wait");
                for worker in self.workers.open() {
                    let record = self.workers.get(worker).expect("indexed");
                    let claim =
                        record.claims.first().filter(|(_, task)| record.is_usable() && record.has_idle_thread() && self.is_ready(*task));
                    assert_eq!(claim, None, "{worker:?} is idle before what it claims");
                }
            }
        }
    }

    fn check_resources(&self, worker: WorkerId) {
        let record = self.workers.get(worker).expect("listed");
        let mut used: BTreeMap<&String, Milli> = BTreeMap::new();
        let tasks = record.tasks.tasks().filter_map(|task| self.slot(task.slot).layer.annotations.as_ref());
        let lingering = self.lingering.iter().filter(|((at, ..), _)| *at == worker).map(|(_, wishes)| wishes);
        for (name, amount) in tasks.chain(lingering).flat_map(|wishes| &wishes.resources) {
            *used.entry(name).or_default() += amount;
        }
        used.retain(|_, amount| *amount > 0);
        assert_eq!(record.used.iter().map(|(name, amount)| (name, *amount)).collect::<BTreeMap<_, _>>(), used, "resources in use");
        for (name, amount) in used {
            let has = record.about.resources.get(name).copied().unwrap_or(0);
            assert!(amount <= has, "worker {} has {has} of {name}, {amount} are in use", worker.0);
        }
    }

    pub(super) fn check_copies(&self) {
        for (task, copy) in &self.copies.moving {
            assert!(self.record(*task).state.is_stored(), "{task:?} is copied but not stored");
            assert!(self.workers.contains(copy.to), "{task:?} is copied to a worker that is gone");
        }
        for task in self.copies.wishes.keys() {
            assert_ne!(self.record(*task).state, State::Idle, "copies are wished for of {task:?}, which nobody wants");
        }
        assert!(self.copies.short.iter().all(|task| self.copies.wishes.contains_key(task)), "wishes that may not be fulfilled");
        assert!(self.lingering.keys().all(|(worker, ..)| self.workers.contains(*worker)), "tries linger where a worker is");
        if self.retiring.is_empty() {
            return;
        }
        for (at, slot) in self.slots.iter().enumerate() {
            for index in 0..slot.as_ref().map_or(0, |slot| slot.layer.len) {
                let task = super::record::TaskId { slot: at as u32, index };
                if self.record(task).state.is_stored() && self.staying(task) == 0 {
                    let kept = |worker| {
                        self.retiring
                            .get(worker)
                            .is_some_and(|record| record.said || record.queue.contains(&task) || record.moving.contains(&task))
                    };
                    assert!(
                        self.holders_of(task).iter().any(kept),
                        "{task:?} would be lost when its holders {:?} retire",
                        self.holders_of(task)
                    );
                }
            }
        }
    }
}
