//! What the scheduler writes down for each layer and task. Records are dense and small: a layer of a million tasks is one
//! vector. Nothing here decides anything.

use std::sync::Arc;

use partita_graph::{Indices, Key, Layer, Table, Wiring};

use super::Scheduler;
use super::few::Few;
use super::workers::{AHEAD_MICROS, WORTH_MICROS};
use crate::protocol::{Attempt, RunId, WorkerId};

/// A task as the scheduler names it: the slot of its layer, and its place there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct TaskId {
    pub slot: u32,
    pub index: u32,
}

/// What a task is. Whether it is wanted stands beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Never wanted, or released.
    Idle,
    /// Some inputs are not stored. An input that is read twice counts twice; a barrier edge counts once.
    Waiting { missing: u32 },
    /// All inputs are stored.
    Ready,
    /// A worker has it.
    Assigned { worker: WorkerId },
    /// The chunk is kept, here and at the replicas.
    Stored { holder: WorkerId },
    /// It ended with a failure; only within the handling of one event.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct TaskRecord {
    pub state: State,
    /// Runs that want the chunk, and active readers over edges that are no barriers.
    pub wanted: u32,
    /// The try that counts.
    pub attempt: Attempt,
    /// Size of the chunk when it was last stored, in bytes, in five of them: that of ten million records is worth it.
    size: [u8; 5],
    /// Workers that died under it.
    pub blame: u8,
    /// How often it failed and was tried again.
    pub retried: u8,
    /// Whether the worker said that it executes this try.
    pub started: bool,
}

impl TaskRecord {
    /// Of a task that nobody has wanted yet.
    pub fn new(attempt: Attempt) -> Self {
        Self { state: State::Idle, wanted: 0, attempt, size: [0; 5], blame: 0, retried: 0, started: false }
    }

    /// Size of the chunk when it was last stored, in bytes.
    pub fn nbytes(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes[..5].copy_from_slice(&self.size);
        u64::from_le_bytes(bytes)
    }

    /// Chunks of a tebibyte count as a byte less.
    pub fn set_nbytes(&mut self, nbytes: u64) {
        self.size.copy_from_slice(&nbytes.min((1 << 40) - 1).to_le_bytes()[..5]);
    }
}

/// One edge of a layer, resolved.
pub(super) struct EdgeSlot {
    pub producer: u32,
    /// For each chunk of the producer its readers, one entry for each reading, when the wiring has no closed inverse.
    pub inverse: Option<Table>,
}

/// One layer.
pub(super) struct Slot {
    pub layer: Arc<Layer>,
    pub records: Box<[TaskRecord]>,
    pub edges: Box<[EdgeSlot]>,
    /// Which edges read this layer: slot and number of the edge.
    pub readers: Vec<(u32, u16)>,
    /// Runs whose graph contains the layer. None when it is kept only for those that read it.
    pub runs: Few<RunId, ()>,
    /// Runs that want chunks of it as results.
    pub wanting: Few<RunId, ()>,
    /// Records by state, in the order of [`State::kind`]: barrier edges and snapshots look only at this.
    pub counts: [u32; 6],
    /// Bytes of stored chunks, each counted once.
    pub bytes: u64,
    /// Active readers over barrier edges: each of them wants every chunk.
    pub barrier_wanted: u32,
    /// What the tasks demand of a worker, when it is anything.
    pub demand: Option<u32>,
    /// The layer's own priority, the run's turn and the layer's place in its graph, as the outer bits of priorities.
    pub urgency: u8,
    pub turn: u32,
    pub depth: u16,
    pub sizes: Sizes,
}

/// Learned sizes of a layer's chunks, in bytes, and times.
#[derive(Default)]
pub(super) struct Sizes {
    pub count: u64,
    pub total: u64,
    pub largest: u64,
    /// A moving mean: what came last counts an eighth.
    pub micros: u64,
    /// The same in parts of a microsecond, [`PARTS`] of them: tasks may be far shorter than one.
    parts: u64,
    /// A task of it has waited inside for others.
    pub waits: bool,
    /// Its first tasks were for few workers, which happens once.
    pub probed: bool,
}

/// How long a task runs while none of its layer has ended, in microseconds.
const UNKNOWN_MICROS: u64 = 10_000;
/// A task costs its worker at least so much, however short its operator, in microseconds.
const LEAST_MICROS: u64 = 2;
/// A microsecond has so many parts.
const PARTS: u64 = 64;
/// Of tasks that take fewer parts it is not known how many they take.
const LEAST_PARTS: u64 = 8;

impl State {
    /// Wanted but not there yet: its inputs are wanted for its sake.
    pub fn is_active(self) -> bool {
        matches!(self, State::Waiting { .. } | State::Ready | State::Assigned { .. } | State::Failed)
    }

    pub fn is_stored(self) -> bool {
        matches!(self, State::Stored { .. })
    }

    /// Its place in [`Slot::counts`].
    pub fn kind(self) -> usize {
        match self {
            State::Idle => 0,
            State::Waiting { .. } => 1,
            State::Ready => 2,
            State::Assigned { .. } => 3,
            State::Stored { .. } => 4,
            State::Failed => 5,
        }
    }
}

impl Slot {
    /// Lower runs first. Within a run tasks go by their relative place in their layers, and at one place the layer
    /// nearest to the results goes first, so that chains and groups are finished before new ones are begun.
    pub fn priority(&self, index: u32) -> u64 {
        let fraction = (u64::from(index) << 24) / u64::from(self.layer.len.max(1));
        u64::from(self.urgency) << 56 | u64::from(self.turn & 0x3_ffff) << 38 | fraction << 14 | u64::from(0x3fff - self.depth.min(0x3fff))
    }

    /// Records that are not Stored.
    pub fn unstored(&self) -> u32 {
        self.layer.len - self.counts[4]
    }

    /// Records that are wanted and not there.
    pub fn active(&self) -> u32 {
        self.counts[1] + self.counts[2] + self.counts[3] + self.counts[5]
    }

    /// What a task does now, counted.
    pub fn set(&mut self, index: u32, state: State) {
        let record = &mut self.records[index as usize];
        let (before, after) = (record.state.kind(), state.kind());
        if before != after {
            self.counts[before] -= 1;
            self.counts[after] += 1;
            match (before, after) {
                (4, _) => self.bytes -= record.nbytes(),
                (_, 4) => self.bytes += record.nbytes(),
                _ => {}
            }
        }
        record.state = state;
    }

    /// Expected microseconds of a task.
    pub fn micros(&self) -> u64 {
        if self.sizes.count == 0 { UNKNOWN_MICROS } else { self.sizes.micros.max(LEAST_MICROS) }
    }

    /// Mean bytes of a chunk, 0 before any was made.
    pub fn mean_bytes(&self) -> u64 {
        self.sizes.total.checked_div(self.sizes.count).unwrap_or(0)
    }

    /// Whether a worker may be given many of them ahead. Of tasks that wait inside it may not: what they wait for could not be given
    /// to it before all of them wait.
    pub fn is_short(&self) -> bool {
        self.sizes.count > 0 && self.sizes.micros < AHEAD_MICROS / 4 && !self.sizes.waits
    }

    /// Expected bytes of a chunk that is not there yet, once some were.
    pub fn expected(&self) -> Option<u64> {
        (self.sizes.count > 0).then_some(self.sizes.largest)
    }

    pub fn key(&self, index: u32) -> Key {
        Key::new(self.layer.id, index)
    }
}

impl Sizes {
    /// Workers tell both, and what they tell may be absurd.
    pub fn learn(&mut self, nbytes: u64, micros: u64) {
        let parts = micros.saturating_mul(PARTS);
        self.parts = if self.count == 0 { parts } else { (self.parts.saturating_mul(7).saturating_add(parts)) / 8 };
        self.micros = if self.count == 0 { micros } else { self.micros.saturating_mul(7).saturating_add(micros).div_ceil(8) };
        self.count += 1;
        self.total = self.total.saturating_add(nbytes);
        self.largest = self.largest.max(nbytes);
    }

    /// So many of them are worth a message, where a thousand workers could be sent one: a worker that is sent less is done before the
    /// scheduler has served two others, and it is the scheduler that all wait for.
    pub fn worth(&self) -> u64 {
        WORTH_MICROS * PARTS / self.parts.max(LEAST_PARTS)
    }
}

/// Calls `each` for each index, without a box for the usual case.
pub(super) fn visit(indices: &Indices<'_>, mut each: impl FnMut(u32)) {
    match indices {
        Indices::Range(range) => range.clone().for_each(each),
        Indices::List(list) => list.iter().for_each(|at| each(*at)),
        Indices::Owned(list) => list.iter().for_each(|at| each(*at)),
    }
}

/// The readers of each chunk, with an entry for each reading: a task that reads a chunk twice stands there twice.
pub(super) fn readings(wiring: &Wiring, len: u32, producer_len: u32) -> Option<Table> {
    if wiring.is_barrier() || wiring.consumers(0, len).is_some() {
        return None;
    }
    let mut lists = vec![Vec::new(); producer_len as usize];
    for task in 0..len {
        visit(&wiring.inputs(task, producer_len), |at| lists[at as usize].push(task));
    }
    let mut offsets = vec![0];
    let mut indices = Vec::new();
    for list in &lists {
        indices.extend_from_slice(list);
        offsets.push(indices.len() as u32);
    }
    Some(Table { offsets: offsets.into(), indices: indices.into() })
}

impl Scheduler {
    pub(super) fn slot(&self, at: u32) -> &Slot {
        self.slots[at as usize].as_ref().expect("a slot in use")
    }

    pub(super) fn slot_mut(&mut self, at: u32) -> &mut Slot {
        self.slots[at as usize].as_mut().expect("a slot in use")
    }

    pub(super) fn record(&self, task: TaskId) -> &TaskRecord {
        &self.slot(task.slot).records[task.index as usize]
    }

    pub(super) fn record_mut(&mut self, task: TaskId) -> &mut TaskRecord {
        &mut self.slot_mut(task.slot).records[task.index as usize]
    }

    /// What the task does now.
    pub(super) fn set_state(&mut self, task: TaskId, state: State) {
        self.slot_mut(task.slot).set(task.index, state);
    }

    pub(super) fn key_of(&self, task: TaskId) -> Key {
        self.slot(task.slot).key(task.index)
    }

    /// The task of a key, when some run refers to its layer.
    pub(super) fn find(&self, key: Key) -> Option<TaskId> {
        let slot = *self.index.get(&key.layer)?;
        (key.index < self.slot(slot).layer.len).then_some(TaskId { slot, index: key.index })
    }

    /// Whether the task is ready to be given out; false for entries of queues that are out of date.
    pub(super) fn is_ready(&self, task: TaskId) -> bool {
        let slot = self.slots.get(task.slot as usize).and_then(Option::as_ref);
        slot.and_then(|slot| slot.records.get(task.index as usize)).is_some_and(|record| record.state == State::Ready)
    }

    pub(super) fn holders_of(&self, task: TaskId) -> Vec<WorkerId> {
        let State::Stored { holder } = self.record(task).state else { return Vec::new() };
        let mut holders = vec![holder];
        if let Some(more) = self.replicas.get(&task) {
            holders.extend_from_slice(more);
        }
        holders
    }

    /// Calls `each` for each reading of this chunk by a task of a layer that is wired to it without a barrier.
    pub(super) fn for_readers(&mut self, task: TaskId, mut each: impl FnMut(&mut Self, TaskId)) {
        for reader in 0..self.slot(task.slot).readers.len() {
            let (slot, edge) = self.slot(task.slot).readers[reader];
            let consumer = self.slot(slot);
            let wiring = &consumer.layer.edges[edge as usize].wiring;
            if wiring.is_barrier() {
                continue;
            }
            if let Some(range) = wiring.consumers(task.index, consumer.layer.len) {
                range.for_each(|index| each(self, TaskId { slot, index }));
                continue;
            }
            let table = consumer.edges[edge as usize].inverse.clone().expect("made at submit");
            let range = table.offsets[task.index as usize] as usize..table.offsets[task.index as usize + 1] as usize;
            table.indices[range].iter().for_each(|index| each(self, TaskId { slot, index: *index }));
        }
    }

    /// Calls `each` for each task that reads this layer over a barrier, once for each such edge.
    pub(super) fn for_barrier_readers(&mut self, slot: u32, mut each: impl FnMut(&mut Self, TaskId)) {
        for reader in 0..self.slot(slot).readers.len() {
            let (at, edge) = self.slot(slot).readers[reader];
            let layer = &self.slot(at).layer;
            let len = layer.len;
            if layer.edges[edge as usize].wiring.is_barrier() {
                (0..len).for_each(|index| each(self, TaskId { slot: at, index }));
            }
        }
    }
}

/// A set of small numbers; while they are below 64 it needs no memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    first: u64,
    more: Box<[u64]>,
}

impl Bits {
    pub fn with_len(len: u32) -> Self {
        Self { first: 0, more: vec![0; (len.div_ceil(64) as usize).saturating_sub(1)].into() }
    }

    fn word(&self, at: u32) -> u64 {
        match at / 64 {
            0 => self.first,
            word => self.more.get(word as usize - 1).copied().unwrap_or(0),
        }
    }

    fn word_mut(&mut self, at: u32) -> &mut u64 {
        match at / 64 {
            0 => &mut self.first,
            word => &mut self.more[word as usize - 1],
        }
    }

    /// Adds a number that may be larger than all before.
    pub fn extend_to(&mut self, at: u32) {
        let more = at as usize / 64;
        if self.more.len() < more {
            let mut words = std::mem::take(&mut self.more).into_vec();
            // Numbers may come one by one.
            words.resize(more.max(2 * words.len()), 0);
            self.more = words.into();
        }
        *self.word_mut(at) |= 1 << (at % 64);
    }

    /// Takes out; false when it was not there.
    pub fn remove(&mut self, at: u32) -> bool {
        let was = self.contains(at);
        if was {
            *self.word_mut(at) &= !(1 << (at % 64));
        }
        was
    }

    /// Adds; false when it was there.
    pub fn insert(&mut self, at: u32) -> bool {
        let (word, bit) = (self.word_mut(at), 1 << (at % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub fn contains(&self, at: u32) -> bool {
        self.word(at) >> (at % 64) & 1 == 1
    }

    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }

    /// Counted when asked for: a counter kept by `insert` stays at zero in optimised builds of rustc 1.95 (LLVM 22.1.2 loses
    /// the addition when the caller branches on what `insert` returns). `progress_counts_to_the_end` in the local shell's
    /// tests fails when that happens.
    pub fn count(&self) -> u32 {
        self.words().map(u64::count_ones).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words().enumerate().flat_map(|(at, word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(at as u32 * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small_and_keeps_the_size_of_its_chunk() {
        let mut record = TaskRecord::new(1);
        for (nbytes, kept) in [(0, 0), (8, 8), (0x12_3456_789a, 0x12_3456_789a), (1 << 40, (1 << 40) - 1), (u64::MAX, (1 << 40) - 1)] {
            record.set_nbytes(nbytes);
            assert_eq!(record.nbytes(), kept);
        }
        assert_eq!((std::mem::size_of::<TaskRecord>(), record.attempt, record.blame), (24, 1, 0));
    }

    #[test]
    fn what_is_worth_a_message_is_known_for_parts_of_a_microsecond() {
        let mut sizes = Sizes::default();
        let mut worth_after = |micros: [u64; 2]| {
            (0..100).for_each(|turn| sizes.learn(8, micros[turn % 2]));
            sizes.worth()
        };
        assert_eq!((worth_after([0, 0]), worth_after([100, 100])), (4_000, 5));
        assert!((900..1_100).contains(&worth_after([0, 1])), "half a microsecond");
        assert_eq!(worth_after([1_000_000, 1_000_000]), 0);
    }
}
