//! What goes to disk: the chunks that were not used for longest, down to the target in one go, while the disk takes them.
//!
//! It refuses to know files. Invariants: resident and promised bytes stay below the target share of the limit, or nothing can be
//! spilled and at most one thing goes on; what cannot be written stays in memory, is tried again later, and is complained of
//! at most once a minute.

use std::collections::BTreeSet;

use partita_graph::Key;

use super::Worker;
use super::memory::{Place, Room};
use crate::protocol::{Tick, WorkerAction};

/// A chunk that could not be written is left alone for so many microseconds.
const RETRY: u64 = 10_000_000;

/// After the second failure in a row nothing is written for so long, doubled with each further one up to the longest.
const FIRST_REST: u64 = 1_000_000;
const LONGEST_REST: u64 = 60_000_000;

/// The same complaint is made once in so many microseconds.
const SILENCE: u64 = 60_000_000;

/// How the disk fares.
#[derive(Default)]
pub(super) struct Disk {
    /// Failures since something was written.
    failures: u32,
    /// Nothing is written before this time.
    closed_until: Tick,
    /// Chunks that could not be written, by the time at which they are tried again.
    pub refused: BTreeSet<(Tick, Key)>,
    warned_of_failure: Option<Tick>,
    warned_of_cap: Option<Tick>,
}

impl Worker {
    /// Makes room for `needed` bytes below the target, by spilling. `idle` says that nothing else would make room later:
    /// then what is needed goes on all the same.
    pub(super) fn make_room(&mut self, needed: u64, idle: bool) -> Room {
        let Some(target) = self.config.mark(self.config.target) else { return Room::Granted };
        if self.memory.resident + self.promised() + needed <= target {
            return Room::Granted;
        }
        self.spill_down(self.promised() + needed, target);
        if self.memory.spilling > 0 || self.memory.loading > 0 || !idle { Room::Wait } else { Room::Granted }
    }

    /// Bytes that may come to memory without spilling.
    pub(super) fn room(&self) -> u64 {
        let target = self.config.mark(self.config.target);
        target.map_or(u64::MAX, |target| target.saturating_sub(self.memory.resident + self.promised()))
    }

    /// Spills what was not used for longest until `extra` bytes and what stays resident are below the target.
    pub(super) fn spill_down(&mut self, extra: u64, target: u64) {
        while self.memory.resident - self.memory.spilling + extra > target && self.now >= self.disk.closed_until {
            let Some((_, key)) = self.memory.order.first().copied() else { return };
            let held = self.chunks.get_mut(&key).expect("what can be spilled is held");
            let cap = self.config.max_spill;
            if cap > 0 && self.memory.spilled + self.memory.spilling + held.resident > cap {
                return self.complain_of_cap();
            }
            held.place = Place::Spilling;
            self.memory.spilling += held.resident;
            self.memory.order.pop_first();
            self.out.push(WorkerAction::Spill(key));
        }
    }

    /// After something came to memory: above the upper mark, down to the lower one in one go.
    pub(super) fn relieve(&mut self) {
        let (Some(high), Some(low)) = (self.config.high_mark(), self.config.low_mark()) else { return };
        if self.memory.resident - self.memory.spilling > high {
            self.spill_down(0, low);
        }
    }

    pub(super) fn spilled(&mut self, key: Key, disk: u64) {
        let Some(held) = self.chunks.get_mut(&key).filter(|held| held.place == Place::Spilling) else { return };
        self.disk.failures = 0;
        self.memory.spilling -= held.resident;
        self.memory.resident -= held.resident;
        self.memory.spilled = self.memory.spilled - held.disk + disk;
        self.memory.spilled_total += disk;
        (held.resident, held.disk, held.place) = (0, disk, Place::Disk);
        if self.memory.waiting.contains_key(&key) {
            self.load(key);
        }
        self.drop_if_doomed(key);
    }

    pub(super) fn spill_failed(&mut self, key: Key) {
        let Some(held) = self.chunks.get_mut(&key).filter(|held| held.place == Place::Spilling) else { return };
        let again = self.now + RETRY;
        self.memory.spilling -= held.resident;
        (held.place, held.promised, held.refused_until) = (Place::Memory, 0, Some(again));
        self.disk.refused.insert((again, key));
        self.disk.failures += 1;
        if self.disk.failures > 1 {
            let rest = FIRST_REST << (self.disk.failures - 2).min(6);
            self.disk.closed_until = self.now + rest.min(LONGEST_REST);
        }
        if may_warn(&mut self.disk.warned_of_failure, self.now) {
            let text = "a chunk could not be written to the folder for spilled data; it stays in memory, and is tried again later";
            self.out.push(WorkerAction::Warn(text.into()));
        }
        self.back_in_memory(key);
        self.drop_if_doomed(key);
    }

    fn complain_of_cap(&mut self) {
        if may_warn(&mut self.disk.warned_of_cap, self.now) {
            let most = self.config.max_spill;
            let text = format!("spilled data has reached its limit of {most} bytes; more stays in memory, and fewer tasks run at a time");
            self.out.push(WorkerAction::Warn(text));
        }
    }

    /// Chunks that could not be written some time ago may be tried again.
    pub(super) fn retry_refused(&mut self) {
        let waiting = self.disk.refused.len();
        while let Some((_, key)) = self.disk.refused.first().copied().filter(|(at, _)| *at <= self.now) {
            self.disk.refused.pop_first();
            if let Some(held) = self.chunks.get_mut(&key) {
                held.refused_until = None;
                self.touch(key);
            }
        }
        if self.disk.refused.len() < waiting {
            self.relieve();
        }
    }
}

/// True once in a while.
fn may_warn(last: &mut Option<Tick>, now: Tick) -> bool {
    let may = last.is_none_or(|last| now >= last + SILENCE);
    if may {
        *last = Some(now);
    }
    may
}
