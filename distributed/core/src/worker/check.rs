//! Derives every fact of the worker again from its sources and panics when one is wrong. Never called in production.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Key;

use super::memory::Place;
use super::{Phase, Worker};
use crate::protocol::{Piece, WorkerId};

impl Worker {
    /// Asserts that all counters agree with what they count. O(tasks, inputs and chunks).
    pub fn check(&self) {
        self.check_tasks();
        self.check_deadlines();
        self.check_needs();
        self.check_peers();
        self.check_parts();
        self.check_memory();
        self.check_movement();
    }

    fn check_tasks(&self) {
        let (mut running, mut waiting, mut returned, mut abandoned) = (0, 0, 0, 0);
        for (key, task) in &self.tasks {
            let ready = self.ready.contains(&(task.assignment.priority, *key));
            assert_eq!(ready, task.phase == Phase::Ready, "whether {key} is in the queue");
            assert!(!task.abandoned || task.phase == Phase::Executing, "{key} is abandoned but does not execute");
            assert!(!task.waits || task.phase == Phase::Executing, "{key} waits inside but does not execute");
            assert!(task.next.is_none() || task.abandoned, "{key} has a later try but is not abandoned");
            abandoned += u32::from(task.abandoned);
            match task.phase {
                Phase::Gathering { missing } => {
                    let waiters = self.gather.needs.values().flat_map(|need| &need.waiters);
                    let waits = waiters.filter(|waiter| **waiter == (*key, task.serial)).count();
                    assert!(missing > 0 && waits == missing as usize, "pieces that {key} waits for");
                }
                Phase::Ready => {}
                Phase::Blocked => assert!(self.is_leaving(*key), "{key} waits for nothing to go"),
                Phase::Loading { missing } => {
                    running += 1;
                    let waits = self.memory.waiting.values().flatten().filter(|(waiter, _)| waiter == key).count();
                    assert!(missing > 0 && waits == missing as usize, "chunks that {key} waits for");
                }
                Phase::Executing if task.waits => waiting += 1,
                Phase::Executing => {
                    running += 1;
                    returned += u32::from(task.has_waited);
                }
            }
        }
        assert_eq!((self.running, self.waiting), (running, waiting), "tasks with a thread, and tasks that wait inside");
        assert_eq!(self.abandoned, abandoned, "abandoned tasks of them");
        assert!(self.running - returned <= self.config.threads, "more tasks than threads were started");
        assert!(self.ready.iter().all(|(_, key)| self.tasks.contains_key(key)), "queued tasks exist");
        if let Some(claim) = &self.claim {
            assert!(self.tasks.get(&claim.key).is_some_and(|task| task.phase == Phase::Ready), "{} waits for memory", claim.key);
        }
    }

    fn check_deadlines(&self) {
        let runs = |task: &&super::Task| task.phase == Phase::Executing && !task.abandoned && task.assignment.timeout.is_some();
        let limited: Vec<Key> = self.tasks.values().filter(runs).map(|task| task.assignment.key).collect();
        for key in &limited {
            let deadline = self.tasks[key].deadline.expect("a limited try that runs has a deadline");
            assert!(self.deadlines.contains(&(deadline, *key)), "the deadline of {key}");
            assert!(deadline > self.now, "{key} is late and was not stopped");
        }
        assert_eq!(self.deadlines.len(), limited.len(), "deadlines are of tries that run");
    }

    fn check_needs(&self) {
        let (mut fetching, mut receiving) = (0, 0);
        let mut requests: BTreeMap<u64, (WorkerId, u32)> = BTreeMap::new();
        for (piece, need) in &self.gather.needs {
            if let Some((from, request)) = need.in_flight {
                fetching += 1;
                receiving += need.nbytes;
                let counted = requests.entry(request).or_insert((from, 0));
                assert_eq!(counted.0, from, "one request asks one peer");
                counted.1 += 1;
                assert!(need.holders.contains(&from), "who is asked for {piece:?} holds it");
            } else {
                assert!(need.is_wanted(), "nobody waits for {piece:?}");
            }
            assert!(!need.holders.is_empty(), "nobody to ask for {piece:?}");
            assert!(!need.holders.iter().any(|holder| self.gather.gone.contains(holder)), "a holder of {piece:?} is gone");
            let held_back = piece.1.is_none() && self.is_leaving(piece.0);
            assert!(need.listed || need.in_flight.is_some() || held_back, "{piece:?} is in no queue");
            assert!(!need.listed || need.in_flight.is_none(), "{piece:?} is under way and in a queue");
            let waits = |(waiter, serial): &&(Key, u64)| self.tasks.get(waiter).is_some_and(|task| task.serial == *serial);
            assert_eq!(need.waiters.iter().filter(waits).count(), need.live as usize, "tasks that wait for {piece:?}");
        }
        assert_eq!((self.gather.fetching, self.gather.receiving), (fetching, receiving), "pieces and bytes under way");
        let counted: BTreeMap<u64, (WorkerId, u32)> = self.gather.requests.iter().map(|(id, r)| (*id, (r.from, r.left))).collect();
        assert_eq!(counted, requests, "requests under way");
    }

    fn check_peers(&self) {
        let mut askable = BTreeSet::new();
        for (worker, peer) in &self.gather.peers {
            let under_way = self.gather.requests.values().filter(|request| request.from == *worker).count();
            assert_eq!(peer.requests as usize, under_way, "requests to {worker:?}");
            assert_eq!(peer.rests_until.is_some(), self.gather.resting.iter().any(|(_, resting)| resting == worker), "rest of {worker:?}");
            let wanted = |(priority, piece): &(u64, Piece)| {
                let need = self.gather.needs.get(piece);
                need.is_some_and(|need| need.listed && need.priority == *priority && need.holders.contains(worker))
            };
            assert!(peer.queue.iter().all(wanted), "what is queued at {worker:?} is needed");
            let bytes: u64 = peer.queue.iter().map(|(_, piece)| self.gather.needs[piece].nbytes).sum();
            assert_eq!(peer.queued_bytes, bytes, "bytes queued at {worker:?}");
            if let Some((priority, piece)) = peer.rank {
                assert_eq!(peer.queue.first(), Some(&(priority, piece)), "the most urgent piece of {worker:?}");
                askable.insert((priority, piece, *worker));
            }
        }
        assert_eq!(self.gather.askable, askable, "who can be asked");
        for (piece, need) in self.gather.needs.iter().filter(|(_, need)| need.listed) {
            let queued = |holder| self.gather.peers.get(holder).is_some_and(|peer| peer.queue.contains(&(need.priority, *piece)));
            assert!(queued(&need.holders[0]), "{piece:?} is queued at its first holder");
        }
    }

    fn check_parts(&self) {
        for (piece, part) in &self.parts {
            let uses = |(key, at): &&Piece| (*key, *at) == (piece.0, Some(piece.1));
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
        let tasks: u64 = self.tasks.values().map(|task| task.reserved).sum();
        assert_eq!(memory.reserved, loads + tasks, "promised bytes");
        let refused: BTreeSet<_> = self.chunks.iter().filter_map(|(key, held)| Some((held.refused_until?, *key))).collect();
        assert_eq!(self.disk.refused, refused, "chunks that could not be written");
        if !self.memory_is_limited() {
            return;
        }
        let mut pins: BTreeMap<Key, u32> = BTreeMap::new();
        let claims = |key: &Key| self.claim.as_ref().is_some_and(|claim| claim.key == *key);
        for (key, task) in &self.tasks {
            if matches!(task.phase, Phase::Loading { .. } | Phase::Executing) || claims(key) {
                task.chunks().for_each(|chunk| *pins.entry(chunk).or_default() += 1);
            }
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

    /// Nothing runs, nothing comes, nothing is written: then nothing may be ready, and nobody may be there to be asked.
    fn check_movement(&self) {
        let quiet = self.running == 0 && self.gather.fetching == 0 && self.memory.spilling == 0;
        let quiet = quiet && self.chunks.values().all(|held| matches!(held.place, Place::Memory | Place::Disk) && !held.doomed);
        assert!(!quiet || self.ready.is_empty(), "tasks are ready but nothing moves");
        assert!(!quiet || self.pressure.paused || self.gather.askable.is_empty(), "pieces are needed but nothing moves");
    }
}
