//! Stored chunks are moved from workers that hold more than the mean to those that hold less, when somebody asks for it.
//!
//! It refuses to move anything itself: it plans, and `replicas` makes the copies and drops the originals.

use std::collections::BTreeMap;

use super::Scheduler;
use super::record::{State, TaskId};
use crate::protocol::WorkerId;

/// Chunks that one plan moves at most.
const MOVED: usize = 65_536;
/// Workers within so many thousandths of the mean are left alone.
const GAP: u64 = 50;

/// What a worker holds.
#[derive(Default)]
struct Load {
    bytes: u64,
    /// Chunks that are nowhere else, with their sizes.
    chunks: Vec<(TaskId, u64)>,
}

impl Scheduler {
    /// Makes a new plan. O(tasks).
    pub(super) fn rebalance(&mut self) {
        let usable = self.workers.iter().filter(|(_, record)| record.is_usable());
        let mut loads: BTreeMap<WorkerId, Load> = usable.map(|(id, _)| (id, Load::default())).collect();
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(slot) = slot.as_ref().filter(|slot| slot.counts[4] > 0) else { continue };
            for (index, record) in slot.records.iter().enumerate() {
                let State::Stored { holder } = record.state else { continue };
                let task = TaskId { slot: at as u32, index: index as u32 };
                let more = self.replicas.get(&task);
                for worker in more.into_iter().flatten().chain([&holder]) {
                    if let Some(load) = loads.get_mut(worker) {
                        load.bytes += record.nbytes();
                        if more.is_none() {
                            load.chunks.push((task, record.nbytes()));
                        }
                    }
                }
            }
        }
        if loads.len() > 1 {
            self.copies.balance = plan(loads.into_iter().collect()).into();
        }
    }
}

/// Pairs the fullest with the emptiest until all are near the mean: chunk, from where, to where.
fn plan(mut loads: Vec<(WorkerId, Load)>) -> Vec<(TaskId, WorkerId, WorkerId)> {
    let mean = loads.iter().map(|(_, load)| load.bytes).sum::<u64>() / loads.len() as u64;
    let gap = mean * GAP / 1000;
    loads.sort_by_key(|(id, load)| (load.bytes, *id));
    let mut moves = Vec::new();
    let (mut low, mut high) = (0, loads.len() - 1);
    while low < high && moves.len() < MOVED {
        let (spare, lack) = (loads[high].1.bytes.saturating_sub(mean), mean.saturating_sub(loads[low].1.bytes));
        if lack <= gap {
            low += 1;
            continue;
        }
        let chunk = if spare > gap { loads[high].1.chunks.pop() } else { None };
        let Some((task, nbytes)) = chunk else {
            high -= 1;
            continue;
        };
        if nbytes > 0 && nbytes <= spare.min(lack) + gap {
            moves.push((task, loads[high].0, loads[low].0));
            loads[high].1.bytes -= nbytes;
            loads[low].1.bytes += nbytes;
        }
    }
    moves
}
