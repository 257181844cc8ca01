//! Tasks that no worker can run: none is connected, none fits, or their inputs are larger than any worker. The user is told
//! after a while, and if the settings say so they fail.
//!
//! It refuses to judge workers that are busy, paused or out of reach: these may come round.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::{Code, Failure};

use super::Scheduler;
use super::demand::Needs;
use super::record::{State, TaskId, visit};
use crate::protocol::Tick;

/// After so many microseconds without a worker the user is told.
const TELL_MICROS: u64 = 5_000_000;
/// Layers whose users are told at one time.
const TOLD: usize = 64;

/// Since when tasks wait for a worker that does not exist.
#[derive(Default)]
pub(super) struct Stuck {
    /// By demand; `None` for tasks that any worker may run.
    since: BTreeMap<Option<Needs>, Tick>,
}

impl Scheduler {
    /// Whether the task's inputs together are larger than the memory of any worker. If they are, it has failed.
    pub(super) fn is_too_large(&mut self, task: TaskId) -> bool {
        let Some(limit) = self.workers.largest_limit() else { return false };
        let slot = self.slot(task.slot);
        let most = slot.layer.edges.iter().zip(&slot.edges).fold(0u64, |most, (edge, to)| {
            let producer = self.slot(to.producer);
            let inputs = edge.wiring.inputs(task.index, producer.layer.len).len() as u64;
            most.saturating_add(producer.sizes.largest.saturating_mul(inputs))
        });
        if most <= limit {
            return false;
        }
        let total = self.input_bytes(task);
        if total <= limit {
            return false;
        }
        let slot = self.slot(task.slot);
        let what = format!("task {} {} reads {} bytes at a time", slot.layer.name, slot.key(task.index), total);
        let failure = Failure::new(Code::MemoryTooSmall, what)
            .detail("largest worker", format!("{limit} bytes"))
            .help("use more and smaller partitions, or start workers with a larger --memory-limit")
            .origin(slot.layer.origin.as_ref());
        self.fail(task, failure);
        true
    }

    /// Bytes of all inputs, each chunk once for each edge; of a part only the part.
    fn input_bytes(&self, task: TaskId) -> u64 {
        let slot = self.slot(task.slot);
        let mut total = 0;
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            let producer = self.slot(to.producer);
            let share = if edge.wiring.part(task.index).is_some() { u64::from(slot.layer.len.max(1)) } else { 1 };
            visit(&edge.wiring.inputs(task.index, producer.layer.len), |index| {
                let record = &producer.records[index as usize];
                total += if let State::Stored { .. } = record.state { record.nbytes() / share } else { 0 };
            });
        }
        total
    }

    /// Notes since when ready tasks have no worker, tells their users, and lets them fail when it is time.
    pub(super) fn look_for_stuck(&mut self) {
        let mut found: Vec<(Option<Needs>, String)> = Vec::new();
        if self.workers.is_empty() && !self.roots.is_empty() {
            found.push((None, "no worker is connected (start one with `partita worker <scheduler's address>`)".into()));
        }
        for demand in self.demands.active().filter(|demand| demand.fitting.is_empty()) {
            found.push((Some(demand.needs.clone()), Self::unfit(&demand.needs)));
        }
        if found.is_empty() && self.stuck.since.is_empty() {
            return;
        }
        self.stuck.since.retain(|needs, _| found.iter().any(|(of, _)| of == needs));
        for (needs, why) in found {
            let waited = self.now - *self.stuck.since.entry(needs.clone()).or_insert(self.now);
            if self.config.no_workers_timeout.is_some_and(|timeout| waited >= timeout) {
                self.fail_stuck(needs.as_ref(), &why);
                self.stuck.since.remove(&needs);
            } else if waited >= TELL_MICROS {
                let note = format!("waiting since {} s: {why}", waited / 1_000_000);
                self.tell_stuck(needs.as_ref(), &why, &note);
            }
        }
    }

    fn unfit(needs: &Needs) -> String {
        let resources: Vec<String> = needs.resources.iter().map(|(name, milli)| format!("{name} {}", units(*milli))).collect();
        let asked = match (needs.workers.is_empty(), resources.is_empty()) {
            (false, true) => format!("named {}", needs.workers.join(" or ")),
            (true, _) => format!("with {}", resources.join(", ")),
            (false, false) => format!("named {} with {}", needs.workers.join(" or "), resources.join(", ")),
        };
        format!("no worker {asked} is connected")
    }

    /// The ranges of queued tasks of this kind. Their entries may be out of date.
    fn queued(&self, needs: Option<&Needs>) -> impl Iterator<Item = (TaskId, u32)> {
        let queue = match needs {
            None => Some(&self.roots),
            Some(needs) => self.demands.active().find(|demand| demand.needs == *needs).map(|demand| &demand.ready),
        };
        queue.into_iter().flat_map(|queue| queue.ranges())
    }

    /// Layers with ready tasks of this kind, some of them.
    fn stuck_layers(&self, needs: Option<&Needs>) -> BTreeSet<u32> {
        let is_stuck = |(first, end): &(TaskId, u32)| (first.index..*end).any(|index| self.is_ready(TaskId { index, ..*first }));
        self.queued(needs).filter(is_stuck).take(TOLD).map(|(first, _)| first.slot).collect()
    }

    /// Each run is told once for each reason.
    fn tell_stuck(&mut self, needs: Option<&Needs>, why: &str, note: &str) {
        for run in self.stuck_layers(needs).into_iter().flat_map(|slot| self.slot(slot).runs.keys()).collect::<Vec<_>>() {
            let told = self
                .runs
                .get(&run)
                .is_none_or(|record| record.done || record.rare().is_some_and(|rare| rare.cause.is_some() || rare.told.contains(why)));
            if !told {
                self.runs.get_mut(&run).expect("just seen").rare_mut().told.insert(why.to_string());
                self.note_for(run, note);
            }
        }
    }

    fn fail_stuck(&mut self, needs: Option<&Needs>, why: &str) {
        let queued: Vec<(TaskId, u32)> = self.queued(needs).collect();
        for task in queued.into_iter().flat_map(|(first, end)| (first.index..end).map(move |index| TaskId { index, ..first })) {
            // The failure of one may have ended what wanted the others.
            if !self.is_ready(task) {
                continue;
            }
            let slot = self.slot(task.slot);
            let what = format!("task {} {} has no worker: {why}", slot.layer.name, slot.key(task.index));
            let failure = Failure::new(Code::NoWorkers, what)
                .help("start a worker that fits, or take the wish for one back")
                .origin(slot.layer.origin.as_ref());
            self.fail(task, failure);
        }
    }
}

/// `1`, or `0.5`.
pub(super) fn units(milli: u64) -> String {
    if milli.is_multiple_of(1000) { (milli / 1000).to_string() } else { format!("{}", milli as f64 / 1000.0) }
}
