//! Ready tasks in order of priority. Neighbours in a layer are one entry, so a million queued tasks of one layer cost no more
//! than one.
//!
//! It refuses to know whether an entry still holds: entries may be out of date, and whoever takes one looks at its state.

use std::collections::BTreeMap;

use super::Slots;
use super::record::{State, TaskId};

#[derive(Default)]
pub(super) struct Queue {
    /// Priority and first task of a range, and its end.
    ranges: BTreeMap<(u64, TaskId), u32>,
    /// Tasks in all ranges, those out of date included.
    len: u64,
}

impl Queue {
    pub fn insert(&mut self, priority: u64, first: TaskId, end: u32) {
        let known = self.ranges.entry((priority, first)).or_insert(first.index);
        if end > *known {
            self.len += u64::from(end - *known);
            *known = end;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Priority and first task of the first entry.
    pub fn first(&self) -> Option<(u64, TaskId)> {
        self.ranges.first_key_value().map(|(key, _)| *key)
    }

    /// Takes out the first range that begins with a ready task: that task, and the end of the range. Entries out of date are
    /// dropped on the way; those of another demand than the queue's are, because another layer has the place of the one that was queued.
    pub fn pop(&mut self, slots: &Slots, demand: Option<u32>) -> Option<(TaskId, u32)> {
        while let Some(((_, first), end)) = self.ranges.pop_first() {
            self.len -= u64::from(end - first.index);
            // The layer may have gone, or another has its slot.
            let Some(slot) = slots[first.slot as usize].as_ref().filter(|slot| slot.demand == demand) else { continue };
            let end = end.min(slot.layer.len);
            if let Some(index) = (first.index..end).find(|index| slot.records[*index as usize].state == State::Ready) {
                return Some((TaskId { slot: first.slot, index }, end));
            }
        }
        None
    }

    /// Takes out the last half of the last range, at least one task; there must be one.
    pub fn split(&mut self) -> Option<(TaskId, u32)> {
        let ((priority, first), end) = self.ranges.pop_last()?;
        let middle = first.index + (end - first.index) / 2;
        if middle > first.index {
            self.ranges.insert((priority, first), middle);
        }
        self.len -= u64::from(end - middle);
        Some((TaskId { slot: first.slot, index: middle }, end))
    }

    /// All ranges: first task and end.
    pub fn ranges(&self) -> impl Iterator<Item = (TaskId, u32)> + '_ {
        self.ranges.iter().map(|((_, first), end)| (*first, *end))
    }
}
