//! The chunks of one executor by key: in memory, on disk, or both.
//!
//! It refuses to know tasks and machines: it does what it is told and counts bytes. Invariant: `memory` and `spilled` are
//! the sums over all slots. Keys are grouped in blocks of neighbours, so that a task that reads a million chunks looks up
//! a few thousand blocks and walks through memory in order.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::protocol::Input;
use partita_graph::{Chunk, Failure, Key, LayerId, Registry, pick};

use crate::spill::SpillFile;

const BLOCK: u32 = 64;
/// The length of a layer of which one chunk only is known.
pub(crate) const UNKNOWN: u32 = u32::MAX;
const SHARDS: usize = 32;

/// Where a block of neighbouring keys lives.
type Home = (LayerId, u32);
type Shard = HashMap<Home, Block, BuildHasherDefault<Mix>>;

pub(crate) struct Store {
    shards: [Mutex<Shard>; SHARDS],
    /// Parts that were fetched from other processes, and their sizes.
    parts: Mutex<HashMap<(Key, u32), (Chunk, u64)>>,
    memory: AtomicU64,
    peak: AtomicU64,
    spilled: AtomicU64,
    spilled_total: AtomicU64,
}

#[derive(Default)]
struct Block {
    held: u32,
    slots: Vec<Slot>,
}

#[derive(Clone, Default)]
struct Slot {
    chunk: Option<Chunk>,
    nbytes: u64,
    file: Option<Arc<SpillFile>>,
}

/// What was in a slot that is emptied; kept until no lock is held, because dropping a large chunk takes time.
pub(crate) struct Garbage {
    _chunk: Option<Chunk>,
    _file: Option<Arc<SpillFile>>,
}

/// Where a chunk, or a part of it, is.
pub(crate) enum Found {
    /// In memory.
    Chunk(Chunk),
    /// In this file; the part of it that is asked for.
    File(Arc<SpillFile>, Option<u32>),
}

/// What there is to do for a spill.
pub(crate) enum SpillNeed {
    /// No such chunk (any more).
    Gone,
    /// It is on disk already and is now out of memory; bytes on disk.
    Done(u64, Garbage),
    /// This must be written.
    Write(Chunk),
}

/// Bytes now and over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of chunks in memory now.
    pub memory: u64,
    /// The most there ever was in memory.
    pub peak: u64,
    /// Bytes on disk now.
    pub spilled: u64,
    /// All bytes ever written to disk.
    pub spilled_total: u64,
}

/// Layer ids are hashes already; this spreads the block number over them.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

fn home(key: Key) -> Home {
    (key.layer, key.index / BLOCK)
}

fn place(key: Key) -> usize {
    (key.index % BLOCK) as usize
}

impl Default for Store {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            parts: Mutex::default(),
            memory: zero(),
            peak: zero(),
            spilled: zero(),
            spilled_total: zero(),
        }
    }
}

impl Store {
    fn shard(&self, home: Home) -> MutexGuard<'_, Shard> {
        let mut mix = Mix(home.0.0);
        mix.write_u32(home.1);
        // Other bits than those by which the map itself chooses.
        self.shards[(mix.0 >> 40) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_memory(&self, nbytes: u64) {
        let now = self.memory.fetch_add(nbytes, Relaxed) + nbytes;
        if now > self.peak.load(Relaxed) {
            self.peak.fetch_max(now, Relaxed);
        }
    }

    /// Keeps a chunk in memory; `len` is the number of tasks of its layer, or [`UNKNOWN`]. What was there is given back.
    pub fn put(&self, key: Key, len: u32, chunk: Chunk, nbytes: u64) -> Option<Garbage> {
        self.add_memory(nbytes);
        let home = home(key);
        let mut shard = self.shard(home);
        let block = shard.entry(home).or_default();
        if block.slots.len() <= place(key) {
            // A layer that is made here fills its blocks; of one that is made elsewhere a few chunks may come.
            let slots = if len == UNKNOWN { (place(key) + 1).next_power_of_two() } else { (len - home.1 * BLOCK).min(BLOCK) as usize };
            block.slots.reserve_exact(slots - block.slots.len());
            block.slots.resize(slots, Slot::default());
        }
        let slot = &mut block.slots[place(key)];
        let before = self.empty(slot);
        block.held += u32::from(before.is_none());
        *slot = Slot { chunk: Some(chunk), nbytes, file: None };
        before
    }

    fn empty(&self, slot: &mut Slot) -> Option<Garbage> {
        let Slot { chunk, nbytes, file } = std::mem::take(slot);
        if chunk.is_none() && file.is_none() {
            return None;
        }
        if chunk.is_some() {
            self.memory.fetch_sub(nbytes, Relaxed);
        }
        if let Some(file) = &file {
            self.spilled.fetch_sub(file.disk, Relaxed);
        }
        Some(Garbage { _chunk: chunk, _file: file })
    }

    /// Keeps a chunk unless there is one already; what is not kept is given back.
    pub fn put_new(&self, key: Key, len: u32, chunk: Chunk, nbytes: u64) -> Option<Garbage> {
        if self.change(key, |slot| (slot.chunk.is_some() || slot.file.is_some()).then_some(())).is_some() {
            return Some(Garbage { _chunk: Some(chunk), _file: None });
        }
        self.put(key, len, chunk, nbytes)
    }

    /// Forgets a chunk wherever it is.
    pub fn remove(&self, key: Key) -> Option<Garbage> {
        let home = home(key);
        let mut shard = self.shard(home);
        let block = shard.get_mut(&home)?;
        let before = self.empty(block.slots.get_mut(place(key))?)?;
        block.held -= 1;
        if block.held == 0 {
            shard.remove(&home);
        }
        Some(before)
    }

    /// The chunks that one edge of a task reads, in order. The key is that of the chunk that could not be had.
    pub fn gather(&self, inputs: &[Input], registry: &Registry) -> Result<Vec<Chunk>, (Key, Failure)> {
        let mut out = Vec::with_capacity(inputs.len());
        let mut rest = inputs;
        while let Some(first) = rest.first() {
            let home_of_first = home(first.key);
            let shard = self.shard(home_of_first);
            let block = shard.get(&home_of_first);
            let (mut on_disk, before) = (None, rest.len());
            while let Some(input) = rest.first().filter(|input| home(input.key) == home_of_first) {
                let slot = block.and_then(|block| block.slots.get(place(input.key)));
                match slot {
                    Some(Slot { chunk: Some(chunk), .. }) => {
                        out.push(pick(chunk, input.part).map_err(|e| (input.key, e))?);
                    }
                    Some(Slot { file: Some(file), .. }) => {
                        on_disk = Some((input, file.clone()));
                        break;
                    }
                    _ => break,
                }
                rest = &rest[1..];
            }
            drop(shard);
            if let Some((input, file)) = on_disk {
                let chunk = match input.part {
                    Some(part) => file.read_part(part, registry),
                    None => file.read(registry),
                };
                out.push(chunk.map_err(|e| (input.key, e))?);
                rest = &rest[1..];
            } else if rest.len() == before {
                out.push(self.fetched_part(first).map_err(|e| (first.key, e))?);
                rest = &rest[1..];
            }
        }
        Ok(out)
    }

    /// One whole chunk, from memory or disk.
    pub fn get(&self, key: Key, registry: &Registry) -> Result<Chunk, Failure> {
        let slot = self.shard(home(key)).get(&home(key)).and_then(|block| block.slots.get(place(key)).cloned());
        match slot {
            Some(Slot { chunk: Some(chunk), .. }) => Ok(chunk),
            Some(Slot { file: Some(file), .. }) => file.read(registry),
            _ => Err(missing(key)),
        }
    }

    fn change<T>(&self, key: Key, change: impl FnOnce(&mut Slot) -> Option<T>) -> Option<T> {
        change(self.shard(home(key)).get_mut(&home(key))?.slots.get_mut(place(key))?)
    }

    /// Starts to spill a chunk.
    pub fn spill_need(&self, key: Key) -> SpillNeed {
        let need = self.change(key, |slot| match (&slot.chunk, &slot.file) {
            (None, None) => None,
            (_, Some(file)) => {
                let disk = file.disk;
                let chunk = slot.chunk.take();
                if chunk.is_some() {
                    self.memory.fetch_sub(slot.nbytes, Relaxed);
                }
                Some(SpillNeed::Done(disk, Garbage { _chunk: chunk, _file: None }))
            }
            (Some(chunk), None) => Some(SpillNeed::Write(chunk.clone())),
        });
        need.unwrap_or(SpillNeed::Gone)
    }

    /// Ends a spill: the chunk leaves memory, unless the slot holds something else by now.
    pub fn spilled(&self, key: Key, written: &Chunk, file: SpillFile) -> Option<Garbage> {
        self.spilled_total.fetch_add(file.disk, Relaxed);
        self.change(key, |slot| {
            let same = slot.chunk.as_ref().is_some_and(|chunk| Arc::ptr_eq(&chunk.0, &written.0));
            same.then(|| {
                self.memory.fetch_sub(slot.nbytes, Relaxed);
                self.spilled.fetch_add(file.disk, Relaxed);
                slot.file = Some(Arc::new(file));
                Garbage { _chunk: slot.chunk.take(), _file: None }
            })
        })
    }

    /// The file of a chunk that is on disk only.
    pub fn file(&self, key: Key) -> Option<Arc<SpillFile>> {
        self.change(key, |slot| slot.file.clone().filter(|_| slot.chunk.is_none()))
    }

    /// Puts a chunk that was read from `file` back into memory; the file stays, so that a second spill costs nothing.
    pub fn loaded(&self, key: Key, chunk: Chunk, nbytes: u64, file: &Arc<SpillFile>) {
        self.change(key, |slot| {
            let same = slot.file.as_ref().is_some_and(|now| Arc::ptr_eq(now, file)) && slot.chunk.is_none();
            same.then(|| {
                self.add_memory(nbytes);
                (slot.chunk, slot.nbytes) = (Some(chunk), nbytes);
            })
        });
    }

    pub fn usage(&self) -> Usage {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Usage { memory: read(&self.memory), peak: read(&self.peak), spilled: read(&self.spilled), spilled_total: read(&self.spilled_total) }
    }
}

impl Store {
    /// Keeps a part of a chunk of another process.
    pub fn put_part(&self, key: Key, part: u32, chunk: Chunk, nbytes: u64) -> Option<Garbage> {
        self.add_memory(nbytes);
        let before = self.parts().insert((key, part), (chunk, nbytes));
        before.map(|before| self.forget_part(before))
    }

    /// Forgets such a part.
    pub fn remove_part(&self, key: Key, part: u32) -> Option<Garbage> {
        let before = self.parts().remove(&(key, part));
        before.map(|before| self.forget_part(before))
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<(Key, u32), (Chunk, u64)>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_part(&self, (chunk, nbytes): (Chunk, u64)) -> Garbage {
        self.memory.fetch_sub(nbytes, Relaxed);
        Garbage { _chunk: Some(chunk), _file: None }
    }

    /// The part that this input asks for, when it was fetched.
    fn fetched_part(&self, input: &Input) -> Result<Chunk, Failure> {
        let part = input.part.and_then(|part| self.parts().get(&(input.key, part)).map(|(chunk, _)| chunk.clone()));
        part.ok_or_else(|| missing(input.key))
    }

    /// A chunk or a part of it, wherever it is.
    pub fn held(&self, key: Key, part: Option<u32>) -> Option<Found> {
        let slot = self.shard(home(key)).get(&home(key)).and_then(|block| block.slots.get(place(key)).cloned());
        match slot {
            Some(Slot { chunk: Some(chunk), .. }) => Some(Found::Chunk(pick(&chunk, part).ok()?)),
            Some(Slot { file: Some(file), .. }) => Some(Found::File(file, part)),
            _ => None,
        }
    }

    /// Up to `limit` of the keys that are held whole, and their sizes in memory (0 for those on disk only).
    pub fn keys(&self, limit: usize) -> Vec<(Key, u64)> {
        let mut keys = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let slots = shard.iter().flat_map(|(home, block)| block.slots.iter().enumerate().map(move |(at, slot)| (home, at, slot)));
            let held = slots.filter(|(_, _, slot)| slot.chunk.is_some() || slot.file.is_some());
            keys.extend(held.map(|(home, at, slot)| (Key::new(home.0, home.1 * BLOCK + at as u32), slot.nbytes)).take(limit - keys.len()));
        }
        keys.sort_unstable();
        keys
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut blocks = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            for slot in blocks.values_mut().flat_map(|block| &mut block.slots) {
                drop(self.empty(slot));
            }
        }
        let parts = std::mem::take(&mut *self.parts());
        parts.into_values().for_each(|part| drop(self.forget_part(part)));
    }
}

fn missing(key: Key) -> Failure {
    Failure::internal(format!("chunk {key} is not in the store"))
}
