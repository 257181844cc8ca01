//! Derives every fact of the worker again from its sources and panics when one is wrong. Never called in production.

use std::collections::BTreeMap;

use partita_graph::Key;

use super::memory::Place;
use super::{Phase, Worker};

impl Worker {
    /// Asserts that all counters agree with what they count. O(tasks, inputs and chunks).
    pub fn check(&self) {
        self.check_tasks();
        self.check_needs();
        self.check_memory();
    }

    fn check_tasks(&self) {
        let mut running = 0;
        for (key, task) in &self.tasks {
            let ready = self.ready.contains(&(task.assignment.priority, *key));
            assert_eq!(ready, task.phase == Phase::Ready, "whether {key} is in the queue");
            assert!(!task.abandoned || task.phase == Phase::Executing, "{key} is abandoned but does not execute");
            assert!(task.next.is_none() || task.abandoned, "{key} has a later try but is not abandoned");
            match task.phase {
                Phase::Gathering { missing } => {
                    let waits = self.gather.needs.values().flat_map(|need| &need.waiters).filter(|waiter| *waiter == key).count();
                    assert!(missing > 0 && waits == missing as usize, "pieces that {key} waits for");
                }
                Phase::Ready => {}
                Phase::Loading { missing } => {
                    running += 1;
                    let waits = self.memory.waiting.values().flatten().filter(|waiter| *waiter == key).count();
                    assert!(missing > 0 && waits == missing as usize, "chunks that {key} waits for");
                }
                Phase::Executing => running += 1,
            }
        }
        assert_eq!(self.running, running, "tasks with a thread");
        assert!(self.running <= self.config.threads, "more tasks than threads");
        assert!(self.ready.iter().all(|(_, key)| self.tasks.contains_key(key)), "queued tasks exist");
        // Nothing runs, nothing comes, nothing is written: then nothing may be ready.
        let quiet = self.running == 0 && self.gather.fetching == 0 && self.memory.spilling == 0;
        let quiet = quiet && self.chunks.values().all(|held| matches!(held.place, Place::Memory | Place::Disk) && !held.doomed);
        assert!(!quiet || (self.ready.is_empty() && self.gather.queue.is_empty()), "work is there but nothing moves");
    }

    fn check_needs(&self) {
        let mut fetching = 0;
        for (piece, need) in &self.gather.needs {
            fetching += u32::from(need.in_flight.is_some());
            let queued = self.gather.queue.contains(&(need.priority, *piece));
            assert_eq!(queued, need.in_flight.is_none(), "whether {piece:?} is in the queue");
            assert!(need.in_flight.is_some() || !need.holders.is_empty(), "nobody to ask for {piece:?}");
            assert!(need.in_flight.is_some() || !need.waiters.is_empty(), "nobody waits for {piece:?}");
            assert!(need.waiters.iter().all(|waiter| self.tasks.contains_key(waiter)), "who waits for {piece:?} is a task");
        }
        assert_eq!(self.gather.fetching, fetching, "fetches on their way");
        assert_eq!(self.gather.queue.len() + fetching as usize, self.gather.needs.len(), "queued needs exist");
        for (piece, part) in &self.parts {
            let uses = |(key, at): &&(Key, Option<u32>)| (*key, *at) == (piece.0, Some(piece.1));
            let users = self.tasks.values().map(|task| task.pieces.iter().filter(uses).count()).sum::<usize>();
            assert!(users > 0 && part.users as usize == users, "users of part {piece:?}");
        }
    }

    fn check_memory(&self) {
        let memory = &self.memory;
        let parts: u64 = self.parts.values().map(|part| part.nbytes).sum();
        let sum = |of: fn(&super::Held) -> u64| self.chunks.values().map(of).sum::<u64>();
        assert_eq!(memory.resident, parts + sum(|held| held.resident), "resident bytes");
        assert_eq!(memory.spilled, sum(|held| held.disk), "bytes on disk");
        assert_eq!(memory.spilling, sum(|held| if held.place == Place::Spilling { held.resident } else { 0 }), "bytes being spilled");
        let loads = sum(|held| if held.place == Place::Loading { held.promised } else { 0 });
        let fetches: u64 = self.gather.needs.values().filter(|need| need.in_flight.is_some()).map(|need| need.nbytes).sum();
        let tasks: u64 = self.tasks.values().map(|task| task.reserved).sum();
        assert_eq!(memory.reserved, loads + fetches + tasks, "promised bytes");
        if !self.memory_is_limited() {
            return;
        }
        let mut pins: BTreeMap<Key, u32> = BTreeMap::new();
        for task in self.tasks.values().filter(|task| matches!(task.phase, Phase::Loading { .. } | Phase::Executing)) {
            task.chunks().for_each(|chunk| *pins.entry(chunk).or_default() += 1);
        }
        for (key, held) in &self.chunks {
            assert_eq!(held.pins, pins.remove(key).unwrap_or(0), "tasks that read {key}");
            let can = Self::can_spill(held);
            assert_eq!(memory.order.contains(&(held.stamp, *key)), can, "whether {key} can be spilled");
            let moves = matches!(held.place, Place::Spilling | Place::Loading);
            assert!(!held.doomed || held.pins > 0 || moves, "{key} should be gone");
        }
        assert!(pins.is_empty(), "running tasks read what is not held: {pins:?}");
        let loading = self.chunks.values().filter(|held| held.place == Place::Loading).count();
        assert_eq!(memory.loading as usize, loading, "loads on their way");
        let can = self.chunks.values().filter(|held| Self::can_spill(held)).count();
        assert_eq!(memory.order.len(), can, "the order of use holds nothing else");
        assert!(memory.waiting.keys().all(|key| self.chunks.contains_key(key)), "what tasks wait for is held");
    }
}
