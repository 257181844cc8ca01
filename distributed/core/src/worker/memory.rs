//! The account of memory: what is resident, what is promised, what goes to disk and comes back.
//!
//! Invariant: resident and promised bytes stay below the target share of the limit, or nothing can be spilled and at most
//! one thing goes on. With no limit there is no order of use and no promise to keep, and nothing here costs anything.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Key;

use super::{Phase, Worker};
use crate::protocol::{Attempt, ToScheduler, WorkerAction};

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
    /// Bytes that are promised to it while it is on its way back: what its readers will need of it.
    pub promised: u64,
    /// Running tasks that read it, one for each reading.
    pub pins: u32,
    pub spillable: bool,
    /// Nobody wants it; it goes as soon as it is not in use and not on its way.
    pub doomed: bool,
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
    /// Bytes promised to results of running tasks, to loads and to fetches.
    pub reserved: u64,
    /// Bytes of chunks on disk.
    pub spilled: u64,
    /// Resident bytes that are on their way to disk.
    pub spilling: u64,
    /// Loads on their way.
    pub loading: u32,
    pub paused: bool,
    /// Chunks that can be spilled, the least recently used first.
    pub order: BTreeSet<(u64, Key)>,
    /// Tasks in phase Loading, by the chunk that they wait for; one entry for each reading.
    pub waiting: BTreeMap<Key, Vec<Key>>,
    clock: u64,
    warned: bool,
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
            tasks.retain(|waiter| *waiter != task);
            !tasks.is_empty()
        });
    }
}

impl Worker {
    pub(super) fn memory_is_limited(&self) -> bool {
        self.config.memory_limit > 0
    }

    fn share(&self, share: f64) -> u64 {
        (self.config.memory_limit as f64 * share) as u64
    }

    /// Enters a chunk that has just come to memory.
    pub(super) fn hold(&mut self, key: Key, size: u64, spillable: bool, attempt: Attempt) {
        let stamp = self.memory.clock;
        let place = Place::Memory;
        let held = Held { size, resident: size, disk: 0, place, promised: 0, pins: 0, spillable, doomed: false, attempt, stamp };
        self.chunks.insert(key, held);
        self.memory.resident += size;
        self.touch(key);
    }

    /// Whether spilling the chunk is possible and of use.
    pub(super) fn can_spill(held: &Held) -> bool {
        held.place == Place::Memory && held.pins == 0 && held.spillable && !held.doomed && held.resident > 0
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

    /// A running task reads the chunk.
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

    /// Makes room for `needed` bytes below the target, by spilling. `idle` says that nothing else would make room later:
    /// then what is needed goes on all the same.
    pub(super) fn make_room(&mut self, needed: u64, idle: bool) -> Room {
        let target = self.share(self.config.target);
        if self.memory.resident + self.memory.reserved + needed <= target {
            return Room::Granted;
        }
        self.spill_down(self.memory.reserved + needed, target);
        if self.memory.spilling > 0 || self.memory.loading > 0 || !idle { Room::Wait } else { Room::Granted }
    }

    /// Spills what was not used for longest until `extra` bytes and what stays resident are below the target.
    fn spill_down(&mut self, extra: u64, target: u64) {
        while self.memory.resident - self.memory.spilling + extra > target {
            let Some((_, key)) = self.memory.order.pop_first() else { return };
            let held = self.chunks.get_mut(&key).expect("what can be spilled is held");
            held.place = Place::Spilling;
            self.memory.spilling += held.resident;
            self.out.push(WorkerAction::Spill(key));
        }
    }

    /// After something came to memory: above the upper mark, down to the target in one go.
    pub(super) fn relieve(&mut self) {
        if self.memory_is_limited() && self.memory.resident - self.memory.spilling > self.share(self.config.spill) {
            self.spill_down(0, self.share(self.config.target));
        }
    }

    /// The process as a whole: it may use more than its chunks, and then chunks must give way.
    pub(super) fn measured(&mut self, rss: u64) {
        if self.memory_is_limited() {
            self.memory.paused = rss > self.share(self.config.pause);
            if rss > self.share(self.config.spill) && self.memory.spilling == 0 {
                let excess = rss - self.share(self.config.target);
                let keep = self.memory.resident.saturating_sub(excess);
                self.spill_down(0, keep);
            }
        }
        let (managed, spilled, paused) = (self.memory.resident, self.memory.spilled, self.memory.paused);
        self.out.push(WorkerAction::Send(ToScheduler::Memory { managed, spilled, paused, rss: 0 }));
    }

    pub(super) fn spilled(&mut self, key: Key, disk: u64) {
        let Some(held) = self.chunks.get_mut(&key).filter(|held| held.place == Place::Spilling) else { return };
        self.memory.spilling -= held.resident;
        self.memory.resident -= held.resident;
        self.memory.spilled = self.memory.spilled - held.disk + disk;
        (held.resident, held.disk, held.place) = (0, disk, Place::Disk);
        if self.memory.waiting.contains_key(&key) {
            self.load(key);
        }
        self.drop_if_doomed(key);
    }

    pub(super) fn spill_failed(&mut self, key: Key) {
        let Some(held) = self.chunks.get_mut(&key).filter(|held| held.place == Place::Spilling) else { return };
        self.memory.spilling -= held.resident;
        (held.place, held.spillable, held.promised) = (Place::Memory, false, 0);
        if !self.memory.warned {
            self.memory.warned = true;
            self.out.push(WorkerAction::Warn("a chunk could not be written to the folder for spilled data; it stays in memory".into()));
        }
        self.back_in_memory(key);
        self.drop_if_doomed(key);
    }

    /// Sees to it that the chunk comes to memory for `task`, which reads one of so many shares of it. False when it is there.
    pub(super) fn bring_back(&mut self, key: Key, share: u64, task: Key) -> bool {
        let held = self.chunks.get_mut(&key).expect("pinned by the caller");
        let place = held.place;
        match place {
            Place::Memory => return false,
            // The promise stands already.
            Place::Loading => {}
            Place::Disk | Place::Spilling => held.promised = held.promised.max(held.size / share),
        }
        self.memory.waiting.entry(key).or_default().push(task);
        // A chunk on its way out is loaded when it has arrived there.
        if place == Place::Disk {
            self.load(key);
        }
        true
    }

    fn load(&mut self, key: Key) {
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

    fn back_in_memory(&mut self, key: Key) {
        for waiter in self.memory.waiting.remove(&key).unwrap_or_default() {
            let task = self.tasks.get_mut(&waiter).expect("who waits is a task");
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
            Place::Memory if held.resident == 0 && held.disk > 0 => {}
            Place::Memory | Place::Spilling => return,
        }
        let doomed = std::mem::replace(&mut held.doomed, true);
        let waiters = self.memory.waiting.remove(&key).unwrap_or_default();
        if !doomed {
            self.out.push(WorkerAction::Send(ToScheduler::Lost(key)));
        }
        for waiter in waiters {
            self.give_back(waiter, key, Vec::new());
        }
        self.drop_if_doomed(key);
    }
}
