//! The account of memory: which chunks are where, who reads them, what is promised, and what comes back from disk.
//!
//! It refuses to know what is worth spilling (`spill`) and how the process as a whole fares (`pressure`). Invariant: a chunk in
//! use stays in memory and is read back once, however many wait for it; a part that is read from a map of its chunk's file is counted
//! as long as its reader has a thread. With no limit there is no order of use and no promise to keep, and nothing here costs anything.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Key;

use super::{Phase, Worker};
use crate::protocol::{Attempt, Tick, ToScheduler, WorkerAction};

/// Where a chunk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Memory,
    Spilling,
    Disk,
    Loading,
}

/// A whole chunk that this worker has.
#[derive(Debug)]
pub(super) struct Held {
    /// Bytes when it was made.
    pub size: u64,
    /// Bytes in memory now.
    pub resident: u64,
    /// Bytes on disk now.
    pub disk: u64,
    pub place: Place,
    /// Bytes that are promised to it while it is on its way back, because somebody reads all of it.
    pub promised: u64,
    /// Tasks that read it and run or are next to run, one for each reading.
    pub pins: u32,
    pub spillable: bool,
    /// It could not be written, and is not tried again before this time.
    pub refused_until: Option<Tick>,
    /// Nobody wants it; it goes as soon as it is not in use and not on its way.
    pub doomed: bool,
    /// Doomed because its file is gone or damaged.
    pub damaged: bool,
    /// The scheduler was told of it without a try when it may have known already, or as a copy before it counted as what a try has made:
    /// it may have sent word that the chunk is to go before it hears that.
    pub said_again: bool,
    /// The try that made it, 0 for a copy from a peer.
    pub attempt: Attempt,
    /// When it was last used.
    pub stamp: u64,
}

/// The account.
#[derive(Default)]
pub(super) struct Memory {
    /// Bytes of chunks and parts in memory.
    pub resident: u64,
    /// Bytes promised to results of running tasks and to loads; those of fetches are counted where these are.
    pub reserved: u64,
    /// Bytes of chunks on disk.
    pub spilled: u64,
    /// Bytes that were ever written to disk.
    pub spilled_total: u64,
    /// Resident bytes that are on their way to disk.
    pub spilling: u64,
    /// Loads on their way.
    pub loading: u32,
    /// Chunks that can be spilled, the least recently used first.
    pub order: BTreeSet<(u64, Key)>,
    /// Tasks in phase Loading, by the chunk that they wait for; one entry for each reading, with the number of parts where one is read.
    pub waiting: BTreeMap<Key, Vec<(Key, Option<u64>)>>,
    clock: u64,
}

/// Whether there is room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    Granted,
    Wait,
}

impl Memory {
    pub fn stop_waiting(&mut self, task: Key) {
        self.waiting.retain(|_, tasks| {
            tasks.retain(|(waiter, _)| *waiter != task);
            !tasks.is_empty()
        });
    }
}

impl Held {
    /// Whether it is where it should be and can be read.
    pub fn is_sound(&self) -> bool {
        !self.damaged && matches!(self.place, Place::Memory | Place::Disk)
    }

    /// It is in its file only, and whoever reads it maps what it needs.
    pub fn is_mapped(&self) -> bool {
        self.place == Place::Memory && self.resident == 0 && self.disk > 0
    }

    /// Bytes that come to memory for a task that reads all of it, or one of so many parts.
    pub fn missing(&self, parts: Option<u64>) -> u64 {
        match (self.place, parts) {
            (Place::Memory, Some(parts)) if self.is_mapped() => self.size / parts,
            (Place::Memory, _) => 0,
            (_, Some(parts)) => self.size / parts,
            // It comes once for all who read the whole.
            (Place::Loading, None) => self.size - self.promised,
            (Place::Disk | Place::Spilling, None) => self.size,
        }
    }

    /// It is the answer to this try, and goes with it. A copy was told of before, without a try by which the scheduler would know that
    /// this is old: it may believe that after it has given the try up.
    pub fn counts_as(&mut self, attempt: Attempt) {
        self.said_again |= self.attempt == 0;
        (self.attempt, self.doomed) = (attempt, false);
    }
}

impl Worker {
    pub(super) fn memory_is_limited(&self) -> bool {
        self.config.memory_limit > 0
    }

    /// Bytes that are not here yet but will be: results of running tasks, loads and fetches.
    pub(super) fn promised(&self) -> u64 {
        self.memory.reserved + self.gather.receiving
    }

    /// Enters a chunk that has just come to memory.
    pub(super) fn hold(&mut self, key: Key, size: u64, spillable: bool, attempt: Attempt) {
        let (stamp, place, refused_until) = (self.memory.clock, Place::Memory, None);
        let (resident, disk, promised, pins) = (size, 0, 0, 0);
        let (doomed, damaged, said_again) = (false, false, false);
        let held =
            Held { size, resident, disk, place, promised, pins, spillable, refused_until, doomed, damaged, said_again, attempt, stamp };
        self.chunks.insert(key, held);
        self.memory.resident += size;
        self.touch(key);
    }

    /// Whether spilling the chunk is possible and of use.
    pub(super) fn can_spill(held: &Held) -> bool {
        let settled = held.place == Place::Memory && held.pins == 0 && !held.doomed;
        settled && held.spillable && held.refused_until.is_none() && held.resident > 0
    }

    /// The chunk was used now; enters it into the order of use, or takes it out, as its state says.
    pub(super) fn touch(&mut self, key: Key) {
        if !self.memory_is_limited() {
            return;
        }
        let Some(held) = self.chunks.get_mut(&key) else { return };
        self.memory.order.remove(&(held.stamp, key));
        if Self::can_spill(held) {
            self.memory.clock += 1;
            held.stamp = self.memory.clock;
            self.memory.order.insert((held.stamp, key));
        }
    }

    /// A task that runs, or is next to run, reads the chunk.
    pub(super) fn pin(&mut self, key: Key) {
        let held = self.chunks.get_mut(&key).expect("a task starts when its inputs are here");
        held.pins += 1;
        if held.pins == 1 {
            self.touch(key);
        }
    }

    pub(super) fn unpin(&mut self, key: Key) {
        let held = self.chunks.get_mut(&key).expect("what is pinned stays");
        held.pins -= 1;
        if held.pins == 0 {
            self.touch(key);
            self.drop_if_doomed(key);
        }
    }

    /// Sees to it that the chunk comes to memory for `task`, which reads all of it or one of so many parts. False when it is there.
    pub(super) fn bring_back(&mut self, key: Key, parts: Option<u64>, task: Key) -> bool {
        let held = self.chunks.get_mut(&key).expect("pinned by the caller");
        let (place, missing) = (held.place, held.missing(parts));
        if parts.is_some() {
            // Each reader of a part has a map of its own.
            self.tasks.get_mut(&task).expect("a task with a thread").reserved += missing;
            self.memory.reserved += missing;
        } else if place != Place::Memory {
            held.promised = held.size;
            self.memory.reserved += if place == Place::Loading { missing } else { 0 };
        }
        if place == Place::Memory {
            return false;
        }
        self.memory.waiting.entry(key).or_default().push((task, parts));
        // A chunk on its way out is loaded when it has arrived there.
        if place == Place::Disk {
            self.load(key);
        }
        true
    }

    pub(super) fn load(&mut self, key: Key) {
        let held = self.chunks.get_mut(&key).expect("waited for and pinned");
        held.place = Place::Loading;
        self.memory.loading += 1;
        self.memory.reserved += held.promised;
        self.out.push(WorkerAction::Load(key));
    }

    pub(super) fn loaded(&mut self, key: Key, nbytes: u64) {
        let Some(held) = self.chunks.get_mut(&key).filter(|held| held.place == Place::Loading) else { return };
        self.memory.loading -= 1;
        self.memory.reserved -= std::mem::take(&mut held.promised);
        self.memory.resident += nbytes;
        (held.resident, held.place) = (nbytes, Place::Memory);
        self.touch(key);
        self.back_in_memory(key);
        self.drop_if_doomed(key);
        self.relieve();
    }

    pub(super) fn back_in_memory(&mut self, key: Key) {
        let held = &self.chunks[&key];
        let (size, is_mapped) = (held.size, held.is_mapped());
        for (waiter, parts) in self.memory.waiting.remove(&key).unwrap_or_default() {
            let task = self.tasks.get_mut(&waiter).expect("who waits is a task");
            // Where the whole has come, nothing is mapped for a part.
            let unneeded = parts.filter(|_| !is_mapped).map_or(0, |parts| size / parts);
            task.reserved -= unneeded;
            self.memory.reserved -= unneeded;
            let Phase::Loading { missing } = task.phase else { unreachable!("who waits is loading") };
            task.phase = Phase::Loading { missing: missing - 1 };
            if missing == 1 {
                self.execute(waiter);
            }
        }
    }

    /// The copy on disk is of no use: the chunk is lost here. A shell may say so too when it reads a result by itself.
    pub(super) fn load_failed(&mut self, key: Key) {
        let Some(held) = self.chunks.get_mut(&key) else { return };
        match held.place {
            Place::Loading => {
                self.memory.loading -= 1;
                self.memory.reserved -= std::mem::take(&mut held.promised);
                held.place = Place::Disk;
            }
            Place::Disk => {}
            // Mapped from its file, so without it there is nothing.
            Place::Memory if held.is_mapped() => {}
            Place::Memory | Place::Spilling => return,
        }
        held.damaged = true;
        if !held.doomed {
            self.out.push(WorkerAction::Send(ToScheduler::Lost(key)));
        }
        self.doom(key);
        for (waiter, _) in self.memory.waiting.remove(&key).unwrap_or_default() {
            self.give_back(waiter, key, Vec::new());
        }
        self.drop_if_doomed(key);
    }
}
