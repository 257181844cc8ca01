//! Derives every fact again from its sources and panics when one is wrong. Never called in production; the simulator calls
//! it after each event. It changes nothing.

use std::collections::BTreeMap;

use partita_graph::Key;

use super::Scheduler;
use super::record::{Bits, State, TaskId, visit};
use crate::protocol::{Ending, WorkerId};

impl Scheduler {
    /// Asserts that all counters agree with what they count. O(tasks and edges).
    pub fn check(&self) {
        let mut wanted: Vec<Vec<u32>> =
            self.slots.iter().map(|slot| slot.as_ref().map_or(Vec::new(), |s| vec![0; s.records.len()])).collect();
        let mut barriers = vec![0; self.slots.len()];
        let mut assigned: BTreeMap<WorkerId, Vec<TaskId>> = BTreeMap::new();
        let placed = self.placed();
        for (at, slot) in self.slots.iter().enumerate() {
            for index in 0..slot.as_ref().map_or(0, |slot| slot.layer.len) {
                let task = TaskId { slot: at as u32, index };
                self.check_task(task, &placed);
                self.count_interest(task, &mut wanted, &mut barriers);
                if let State::Assigned { worker } = self.record(task).state {
                    assigned.entry(worker).or_default().push(task);
                }
            }
        }
        self.check_runs(&mut wanted);
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            assert_eq!(slot.barrier_wanted, barriers[at], "readers over barriers of {}", slot.layer.name);
            let mut counts = [0; 6];
            slot.records.iter().for_each(|record| counts[record.state.kind()] += 1);
            assert_eq!(slot.counts, counts, "tasks of {} by state", slot.layer.name);
            let bytes: u64 = slot.records.iter().filter(|r| r.state.is_stored()).map(|r| r.nbytes()).sum();
            assert_eq!(slot.bytes, bytes, "stored bytes of {}", slot.layer.name);
            for (index, record) in slot.records.iter().enumerate() {
                let key = slot.key(index as u32);
                assert_eq!(record.wanted, wanted[at][index], "interest in {} {key}", slot.layer.name);
                let is_wanted = record.wanted > 0 || slot.barrier_wanted > 0;
                assert_eq!(is_wanted, record.state != State::Idle, "{} {key} is {:?}", slot.layer.name, record.state);
            }
        }
        for (id, worker) in self.workers.iter() {
            let found: Vec<TaskId> = worker.tasks.tasks().collect();
            assert_eq!(found, assigned.remove(&id).unwrap_or_default(), "tasks of worker {}", id.0);
        }
        assert!(assigned.is_empty(), "tasks are assigned to workers that are gone");
        self.check_leftovers();
        self.check_workers();
        self.check_copies();
    }

    /// The queued tasks, entries out of date included, by slot.
    fn placed(&self) -> Vec<Bits> {
        let mut placed = vec![Bits::default(); self.slots.len()];
        let claims = self.workers.iter().flat_map(|(_, record)| record.claims.ranges());
        let demands = self.demands.active().flat_map(|demand| demand.ready.ranges());
        for (first, end) in self.roots.ranges().chain(claims).chain(demands) {
            (first.index..end).for_each(|index| placed[first.slot as usize].extend_to(index));
        }
        for (_, task) in self.workers.iter().flat_map(|(_, record)| record.backlog.keys()) {
            placed[task.slot as usize].extend_to(task.index);
        }
        placed
    }

    fn check_task(&self, task: TaskId, placed: &[Bits]) {
        let record = self.record(task);
        let name = || format!("{} {}", self.slot(task.slot).layer.name, self.key_of(task));
        match record.state {
            State::Idle => {}
            State::Waiting { missing } => {
                assert!(missing > 0, "{} waits for nothing", name());
                assert_eq!(missing, self.count_missing(task), "missing inputs of {}", name());
            }
            State::Ready => {
                assert_eq!(self.count_missing(task), 0, "{} is ready but its inputs are not", name());
                assert!(placed[task.slot as usize].contains(task.index), "{} is ready but in no queue", name());
            }
            State::Assigned { worker } => assert!(self.workers.contains(worker), "{} is with a worker that is gone", name()),
            State::Stored { .. } => {
                let holders = self.holders_of(task);
                assert!(holders.iter().all(|holder| self.workers.contains(*holder)), "{} is held by a worker that is gone", name());
            }
            State::Failed => panic!("{} stayed in the failed state", name()),
        }
    }

    fn count_interest(&self, task: TaskId, wanted: &mut [Vec<u32>], barriers: &mut [u32]) {
        if !self.record(task).state.is_active() {
            return;
        }
        let slot = self.slot(task.slot);
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            if edge.wiring.is_barrier() {
                barriers[to.producer as usize] += 1;
            } else {
                let inputs = edge.wiring.inputs(task.index, self.slot(to.producer).layer.len);
                visit(&inputs, |index| wanted[to.producer as usize][index as usize] += 1);
            }
        }
    }

    fn check_runs(&self, wanted: &mut [Vec<u32>]) {
        for (id, run) in &self.runs {
            let mut unstored = 0;
            for (slot, bits) in run.results.iter() {
                assert!(self.slot(slot).wanting.contains(*id), "run {} wants of {}", id.0, self.slot(slot).layer.name);
                for index in bits.iter() {
                    wanted[slot as usize][index as usize] += 1;
                    unstored += u64::from(!self.record(TaskId { slot, index }).state.is_stored());
                }
            }
            assert_eq!(run.unstored, unstored, "results that run {} waits for", id.0);
            assert_eq!(run.done, run.cause().is_none() && unstored == 0, "whether run {} is done", id.0);
            let ends = match run.ending {
                Ending::Together => run.failed().next().is_none(),
                Ending::Each => run.cause().is_none(),
            };
            assert!(ends, "run {} fails as a whole or key by key", id.0);
            for (task, cause) in run.failed() {
                assert!(!run.wants(task), "run {} wants {task:?}, which failed for {cause}", id.0);
                assert!(run.layers.contains(&task.slot), "run {} had no interest in {task:?}, which failed for {cause}", id.0);
            }
            assert!(run.layers.iter().all(|slot| self.slot(*slot).runs.contains(*id)), "run {} refers to its layers", id.0);
        }
    }

    /// Side tables hold nothing whose reason is gone.
    fn check_leftovers(&self) {
        for (task, more) in &self.replicas {
            assert!(self.record(*task).state.is_stored() && !more.is_empty(), "replicas of {:?}", task);
        }
        for task in self.vain.keys() {
            assert!(self.record(*task).state.is_active(), "tries in vain of {task:?}");
        }
        let mut failed: BTreeMap<Key, u32> = BTreeMap::new();
        let causes = self.runs.values().flat_map(|run| run.cause().into_iter().chain(run.failed().map(|(_, cause)| cause)));
        causes.for_each(|cause| *failed.entry(cause).or_default() += 1);
        let remembered: BTreeMap<Key, u32> = self.failures.iter().map(|(key, (_, uses))| (*key, *uses)).collect();
        assert_eq!(remembered, failed, "runs and results that failed, by key");
        for slot in self.slots.iter().flatten() {
            assert!(slot.runs.keys().all(|run| self.runs.contains_key(&run)), "{} is kept for a run", slot.layer.name);
            assert!(!slot.runs.is_empty() || !slot.readers.is_empty(), "{} is kept for no run and no reader", slot.layer.name);
        }
        assert_eq!(self.index.len(), self.slots.iter().flatten().count(), "layers by id");
        assert_eq!(self.free_slots.len() + self.index.len(), self.slots.len(), "slots that are not in use");
        let clients = self.runs.iter().map(|(run, record)| (*run, record.client)).collect();
        self.clients.check(&clients);
        for (demand, layers) in self.demands.uses() {
            let using = self.slots.iter().flatten().filter(|slot| slot.demand == Some(demand)).count();
            assert_eq!(layers as usize, using, "layers with a demand");
        }
        let ended = self.frees.is_empty() && self.fresh.is_empty() && self.touched.is_empty();
        assert!(ended && self.held.iter().all(|bytes| *bytes == 0), "an event was handled to its end");
    }
}
