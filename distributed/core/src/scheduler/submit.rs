//! A graph arrives: its layers get slots, and what its results need is set in motion.
//!
//! Work that is there already is shared: a layer is known by its id, a stored chunk is used again, a failure that is still
//! remembered is answered at once, and where keys end one by one so is each key that needs it. Only what is needed for wanted keys
//! is activated. A graph may name layers of runs that are still there without repeating them and what they read.

use std::collections::BTreeSet;
use std::sync::Arc;

use partita_graph::{Code, Failure, Graph, Key, Layer};

use super::Scheduler;
use super::few::Few;
use super::record::{Bits, EdgeSlot, Sizes, Slot, State, TaskId, TaskRecord, readings, visit};
use super::run::RunRecord;
use crate::protocol::{ClientId, Ending, RunId, SchedulerAction};

impl Scheduler {
    pub(super) fn submit(&mut self, run: RunId, client: ClientId, graph: Arc<Graph>, ending: Ending) {
        assert!(!self.runs.contains_key(&run), "a run's number is used once");
        if let Some(layer) = graph.layers.iter().find(|layer| !self.can_share(layer)) {
            let what = format!("a call reads what `{}` made, and nothing keeps that any more", layer.name);
            let failure = Failure::new(Code::Cancelled, what).help("hold a future until the calls that read it are submitted");
            return self.out.push(SchedulerAction::RunFailed(run, failure));
        }
        if !self.admit_run(client, run) {
            return;
        }
        let turn = self.submitted;
        self.submitted += 1;
        let layers: Vec<u32> = graph.layers.iter().enumerate().map(|(depth, layer)| self.slot_for(layer, turn, depth as u64)).collect();
        for &slot in &layers {
            self.slot_mut(slot).runs.insert(run, ());
        }
        let mut results: Few<u32, Bits> = Few::default();
        for key in &graph.wanted {
            let task = self.find(*key).expect("shells submit valid graphs");
            let len = self.slot(task.slot).layer.len;
            results.get_or_insert_with(task.slot, || Bits::with_len(len)).insert(task.index);
        }
        let known = graph.layers.iter().zip(&layers).filter(|(layer, _)| layer.known).map(|(_, slot)| *slot).collect();
        let (needed, failed) = self.needed(&results, &known);
        self.runs.insert(run, Box::new(RunRecord::new(client, ending, layers, results, needed)));
        self.want_results(run);
        if let (Ending::Together, Some(key)) = (ending, failed.first()) {
            return self.fail_run(run, *key);
        }
        failed.into_iter().for_each(|key| self.fail_keys_that_need(run, key));
        self.announce_if_done(run);
    }

    /// Whether the layer is there as this graph says that it is, or will be made from the graph.
    fn can_share(&self, layer: &Layer) -> bool {
        match self.index.get(&layer.id) {
            Some(slot) => self.slot(*slot).layer.len == layer.len,
            None => !layer.known,
        }
    }

    /// The slot of a layer, made if the layer is new. Producers have theirs already.
    fn slot_for(&mut self, layer: &Arc<Layer>, turn: u64, depth: u64) -> u32 {
        if let Some(slot) = self.index.get(&layer.id) {
            return *slot;
        }
        let at = match self.free_slots.pop() {
            Some(free) => free,
            None => {
                self.slots.push(None);
                self.slots.len() as u32 - 1
            }
        };
        let mut edges = Vec::with_capacity(layer.edges.len());
        for (number, edge) in layer.edges.iter().enumerate() {
            let producer = *self.index.get(&edge.layer).expect("shells submit valid graphs");
            let inverse = readings(&edge.wiring, layer.len, self.slot(producer).layer.len);
            edges.push(EdgeSlot { producer, inverse });
            self.slot_mut(producer).readers.push((at, number as u16));
        }
        let attempt = self.attempts.get(&layer.id).copied().unwrap_or(1);
        let record = TaskRecord::new(attempt);
        let slot = Slot {
            records: vec![record; layer.len as usize].into(),
            edges: edges.into(),
            readers: Vec::new(),
            runs: Few::default(),
            wanting: Few::default(),
            counts: [layer.len, 0, 0, 0, 0, 0],
            bytes: 0,
            demand: self.demand_of(layer),
            urgency: urgency(layer.annotations.as_ref().map_or(0, |wishes| wishes.priority)),
            barrier_wanted: 0,
            turn: turn as u32,
            depth: depth.min(u64::from(u16::MAX)) as u16,
            sizes: Sizes::default(),
            layer: layer.clone(),
        };
        self.slots[at as usize] = Some(slot);
        self.index.insert(layer.id, at);
        at
    }

    /// The tasks that these results need and that are not stored, with the stored ones at their rim; and the keys among them
    /// whose failures are remembered. What layers of earlier runs need is looked at only for failures: a chain of calls, each
    /// submitted by itself, would cost the square of its length.
    fn needed(&self, results: &Few<u32, Bits>, known: &BTreeSet<u32>) -> (Few<u32, Bits>, Vec<Key>) {
        let mut needed: Few<u32, Bits> = Few::default();
        let mut stack: Vec<TaskId> = Vec::new();
        let mut failed = Vec::new();
        let mut whole: BTreeSet<u32> = BTreeSet::new();
        for (slot, bits) in results.iter() {
            needed.insert(slot, bits.clone());
            stack.extend(bits.iter().map(|index| TaskId { slot, index }));
        }
        while let Some(task) = stack.pop() {
            let slot = self.slot(task.slot);
            if self.record(task).state.is_stored() || (self.failures.is_empty() && known.contains(&task.slot)) {
                continue;
            }
            if !self.failures.is_empty() && self.failures.contains_key(&slot.key(task.index)) {
                failed.push(slot.key(task.index));
            }
            for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
                if edge.wiring.is_barrier() && !whole.insert(to.producer) {
                    continue;
                }
                let len = self.slot(to.producer).layer.len;
                let bits = needed.get_or_insert_with(to.producer, || Bits::with_len(len));
                visit(&edge.wiring.inputs(task.index, len), |index| {
                    if bits.insert(index) {
                        stack.push(TaskId { slot: to.producer, index });
                    }
                });
            }
        }
        (needed, failed)
    }

    /// Counts the run's interest in its results and activates what they need.
    fn want_results(&mut self, run: RunId) {
        let known = self.runs.get_mut(&run).expect("just made");
        let (results, ending) = (std::mem::take(&mut known.results), known.ending);
        let mut idle = Vec::new();
        let mut unstored = 0;
        for (slot, bits) in results.iter() {
            self.slot_mut(slot).wanting.insert(run, ());
            for index in bits.iter() {
                let task = TaskId { slot, index };
                let record = self.record_mut(task);
                record.wanted += 1;
                if record.state == State::Idle {
                    idle.push(task);
                }
                if !record.state.is_stored() {
                    unstored += 1;
                } else if ending == Ending::Each {
                    let key = self.key_of(task);
                    self.out.push(SchedulerAction::KeyDone { run, key });
                }
            }
        }
        let record = self.runs.get_mut(&run).expect("just made");
        (record.results, record.unstored) = (results, unstored);
        self.activate(idle);
    }

    /// Puts wanted idle tasks to work, and with them the idle tasks that they need.
    pub(super) fn activate(&mut self, mut stack: Vec<TaskId>) {
        while let Some(task) = stack.pop() {
            if self.record(task).state != State::Idle {
                continue;
            }
            let missing = self.want_inputs(task, &mut stack);
            self.set_waiting(task, missing);
        }
    }

    /// Adds the task's interest to its inputs; idle ones go on the stack. Returns how many are not stored.
    fn want_inputs(&mut self, task: TaskId, stack: &mut Vec<TaskId>) -> u32 {
        let layer = self.slot(task.slot).layer.clone();
        let mut missing = 0;
        for (number, edge) in layer.edges.iter().enumerate() {
            let at = self.slot(task.slot).edges[number].producer;
            let producer = self.slot_mut(at);
            if edge.wiring.is_barrier() {
                producer.barrier_wanted += 1;
                missing += u32::from(producer.unstored() > 0);
                if producer.barrier_wanted == 1 {
                    let idle = producer.records.iter().enumerate().filter(|(_, record)| record.state == State::Idle);
                    stack.extend(idle.map(|(index, _)| TaskId { slot: at, index: index as u32 }));
                }
                continue;
            }
            visit(&edge.wiring.inputs(task.index, producer.layer.len), |index| {
                let record = &mut producer.records[index as usize];
                record.wanted += 1;
                missing += u32::from(!record.state.is_stored());
                if record.state == State::Idle {
                    stack.push(TaskId { slot: at, index });
                }
            });
        }
        missing
    }

    /// Waiting, or ready when nothing is missing.
    pub(super) fn set_waiting(&mut self, task: TaskId, missing: u32) {
        self.set_state(task, if missing > 0 { State::Waiting { missing } } else { State::Ready });
        if missing == 0 {
            self.fresh.push(task);
        }
    }

    pub(super) fn announce_if_done(&mut self, run: RunId) {
        let record = self.runs.get_mut(&run).expect("a run");
        if record.unstored == 0 && !record.done {
            record.done = true;
            self.out.push(SchedulerAction::RunDone(run));
        }
    }
}

/// A layer's own priority as the outermost byte of the order: lower first, 128 without a wish. Up to 64 in either direction
/// each step counts, beyond that each doubling.
fn urgency(priority: i32) -> u8 {
    let size = priority.unsigned_abs();
    let steps = if size <= 64 { size } else { 59 + size.ilog2() };
    (128 - i64::from(steps) * i64::from(priority.signum())) as u8
}
