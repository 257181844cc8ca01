//! The tasks that a worker has. Neighbours in a layer that were given alike are one entry, so that what is written down of a
//! thousand workers with a thousand short tasks each fits a cache.
//!
//! It refuses to know what tasks are for. Invariant: entries do not overlap, and stand in the order of their tasks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::record::TaskId;

/// What a task was expected to cost when it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cost {
    /// How long it runs.
    pub micros: u32,
    /// How large its result is.
    pub bytes: u32,
}

/// Neighbours in a layer.
#[derive(Clone, Copy)]
struct Entry {
    first: u32,
    end: u32,
    cost: Cost,
}

/// The tasks that a worker has.
#[derive(Default)]
pub(super) struct Given {
    /// By slot, in order: tasks come at the end and leave near the beginning.
    entries: BTreeMap<u32, VecDeque<Entry>>,
    len: u32,
    /// Those whose operators wait inside for other tasks, and have no thread meanwhile.
    inside: BTreeSet<TaskId>,
    /// How much of how much is done, as operators said last.
    told: BTreeMap<TaskId, (u64, u64)>,
}

impl Given {
    pub fn len(&self) -> u32 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many wait inside for other tasks.
    pub fn waiting(&self) -> u32 {
        self.inside.len() as u32
    }

    /// Adds a task that is not there.
    pub fn insert(&mut self, task: TaskId, cost: Cost) {
        self.len += 1;
        let entries = self.entries.entry(task.slot).or_default();
        let place = match entries.back() {
            Some(last) if last.end > task.index => place(entries, task.index),
            _ => entries.len(),
        };
        match place.checked_sub(1).and_then(|before| entries.get_mut(before)) {
            Some(before) if before.end == task.index && before.cost == cost => before.end += 1,
            _ => entries.insert(place, Entry { first: task.index, end: task.index + 1, cost }),
        }
    }

    /// Takes a task out: what it cost, and whether it waits inside.
    pub fn remove(&mut self, task: TaskId) -> Option<(Cost, bool)> {
        let entries = self.entries.get_mut(&task.slot)?;
        let place = place(entries, task.index);
        let entry = entries.get_mut(place).filter(|entry| entry.first <= task.index)?;
        let rest = Entry { first: task.index + 1, ..*entry };
        if task.index > entry.first {
            entry.end = task.index;
            if rest.first < rest.end {
                entries.insert(place + 1, rest);
            }
        } else if rest.first < rest.end {
            entry.first = rest.first;
        } else {
            entries.remove(place);
            if entries.is_empty() {
                self.entries.remove(&task.slot);
            }
        }
        self.len -= 1;
        if !self.told.is_empty() {
            self.told.remove(&task);
        }
        Some((rest.cost, !self.inside.is_empty() && self.inside.remove(&task)))
    }

    pub fn cost(&self, task: TaskId) -> Option<Cost> {
        let entries = self.entries.get(&task.slot)?;
        entries.get(place(entries, task.index)).filter(|entry| entry.first <= task.index).map(|entry| entry.cost)
    }

    pub fn waits(&self, task: TaskId) -> bool {
        self.inside.contains(&task)
    }

    /// False when it is known already whether the task waits.
    pub fn set_waits(&mut self, task: TaskId, waits: bool) -> bool {
        if waits { self.inside.insert(task) } else { self.inside.remove(&task) }
    }

    pub fn told(&self, task: TaskId) -> Option<(u64, u64)> {
        self.told.get(&task).copied()
    }

    pub fn set_told(&mut self, task: TaskId, told: (u64, u64)) {
        self.told.insert(task, told);
    }

    /// In order, with what they cost.
    pub fn costs(&self) -> impl Iterator<Item = (TaskId, Cost)> + '_ {
        let each = |slot: u32, entry: &Entry| {
            let cost = entry.cost;
            (entry.first..entry.end).map(move |index| (TaskId { slot, index }, cost))
        };
        self.entries.iter().flat_map(move |(slot, entries)| entries.iter().flat_map(move |entry| each(*slot, entry)))
    }

    /// In order.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.costs().map(|(task, _)| task)
    }

    /// Those that wait inside for others.
    pub fn inside(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.inside.iter().copied()
    }

    /// The slot and the number of tasks of each entry, in order. Those that wait inside for others are among them.
    pub fn shares(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.entries.iter().flat_map(|(slot, entries)| entries.iter().map(move |entry| (*slot, entry.end - entry.first)))
    }

    /// Those of one layer.
    pub fn of_slot(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        self.entries.get(&slot).into_iter().flatten().flat_map(|entry| entry.first..entry.end)
    }
}

/// The first entry that ends after this task: the one that has it, if any has.
fn place(entries: &VecDeque<Entry>, index: u32) -> usize {
    match entries.front() {
        Some(first) if first.end > index => 0,
        _ => entries.partition_point(|entry| entry.end <= index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(slot: u32, index: u32) -> TaskId {
        TaskId { slot, index }
    }

    #[test]
    fn neighbours_that_come_and_go_in_order_are_one_entry() {
        let mut given = Given::default();
        let cost = Cost { micros: 8, bytes: 64 };
        for index in 0..1_000 {
            given.insert(task(3, index), cost);
        }
        for index in 0..900 {
            assert_eq!(given.remove(task(3, index)), Some((cost, false)));
            given.insert(task(3, 1_000 + index), cost);
            assert_eq!((given.entries[&3].len(), given.len()), (1, 1_000));
        }
        given.insert(task(3, 5), Cost { micros: 9, ..cost });
        assert_eq!((given.entries[&3].len(), given.of_slot(3).next()), (2, Some(5)));
    }

    #[test]
    fn a_plain_map_agrees() {
        let (mut given, mut plain) = (Given::default(), BTreeMap::new());
        let mut state = 7_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        for turn in 0..200_000 {
            let at = task(random(3), random(40));
            let grows = turn % 5_000 < 2_500;
            if random(4) < if grows { 3 } else { 1 } {
                // Neighbours, as shares are.
                let cost = Cost { micros: random(2), bytes: 1 };
                for at in (at.index..at.index + random(6)).map(|index| task(at.slot, index)) {
                    if let std::collections::btree_map::Entry::Vacant(free) = plain.entry(at) {
                        free.insert(cost);
                        given.insert(at, cost);
                    }
                }
            } else {
                assert_eq!(given.remove(at).map(|(cost, _)| cost), plain.remove(&at), "{at:?} in turn {turn}");
            }
            assert_eq!(given.cost(at), plain.get(&at).copied());
            assert_eq!(given.len() as usize, plain.len());
            if turn % 16 == 0 {
                assert!(given.costs().eq(plain.iter().map(|(task, cost)| (*task, *cost))), "turn {turn}");
                assert!(given.of_slot(1).eq(plain.keys().filter(|task| task.slot == 1).map(|task| task.index)));
            }
        }
    }

    #[test]
    fn what_operators_say_leaves_with_their_tasks() {
        let mut given = Given::default();
        let cost = Cost { micros: 1, bytes: 1 };
        given.insert(task(0, 1), cost);
        given.insert(task(0, 2), cost);
        assert!(given.set_waits(task(0, 2), true) && !given.set_waits(task(0, 2), true));
        given.set_told(task(0, 2), (1, 2));
        assert_eq!((given.waiting(), given.told(task(0, 2)), given.told(task(0, 1))), (1, Some((1, 2)), None));
        assert_eq!(given.remove(task(0, 2)), Some((cost, true)));
        assert_eq!((given.waiting(), given.told(task(0, 2)), given.remove(task(0, 2))), (0, None, None));
    }
}
