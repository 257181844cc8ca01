//! How long the tasks of a layer take is learned from few workers where there are many. Each of them is given a little and answers, then more,
//! until so many have ended that every worker may have its whole share at once: a first message to everybody costs more than all that
//! is learned by it.
//!
//! It refuses to let anybody wait for long: after a small part of the time that serving all workers takes, everybody is given
//! tasks, whether anything has been learned or not. Invariant: while tasks are held back, [`Scheduler::wakes`] says until when.

use super::Scheduler;
use super::record::TaskId;
use super::workers::{AHEAD_TASKS, SERVING_MICROS};
use crate::protocol::{Tick, WorkerId};

/// One worker in so many is given the first tasks, and at least so many are.
const ONE_IN: u32 = 128;
const FEWEST: u32 = 4;
/// A layer is worth it that has so many tasks for each thread.
const MANY_TASKS: u64 = 4;
/// The longest that tasks are held back is this part of the time in which all workers can be served, and at least so many microseconds.
const PART_OF_SERVING: u64 = 4;
const PATIENCE_MICROS: u64 = 1_000;
/// Where workers are many, about so many tasks of the common queue are given out in one event: messages leave between two events, and
/// what is for all workers together does not fit a cache.
pub(super) const AT_ONCE: u64 = 4096;

/// A layer whose first tasks are with few workers.
pub(super) struct Probe {
    slot: u32,
    /// Then all workers get tasks of it. Counted from the first [`Wake`](crate::protocol::SchedulerEvent::Wake), because a graph of a
    /// million tasks takes longer to be accepted than its first tasks to run.
    until: Option<Tick>,
    /// Who has the first.
    workers: Vec<WorkerId>,
}

impl Scheduler {
    /// When the machine wants to hear the next event at the latest, be it only that it is so late ([`SchedulerEvent::Wake`]). A
    /// shell with fewer workers than [`Config::probe_from`] need not look.
    ///
    /// ```
    /// use partita_core::scheduler::{Config, Scheduler};
    /// assert_eq!(Scheduler::new(Config::default()).wakes(), None);
    /// ```
    ///
    /// [`SchedulerEvent::Wake`]: crate::protocol::SchedulerEvent::Wake
    /// [`Config::probe_from`]: super::Config::probe_from
    pub fn wakes(&self) -> Option<Tick> {
        if self.interrupted {
            return Some(self.now);
        }
        self.probe.as_ref().filter(|_| !self.roots.is_empty()).map(|probe| probe.until.unwrap_or(self.now))
    }

    /// What was held back until now may be given out.
    pub(super) fn wake(&mut self) {
        self.interrupted = false;
        let patience = (u64::from(self.workers.usable()) * SERVING_MICROS / PART_OF_SERVING).max(PATIENCE_MICROS);
        if let Some(probe) = &mut self.probe {
            probe.until.get_or_insert(self.now + patience);
        }
    }

    /// The slot of a layer is another's from now on.
    pub(super) fn forget_probe(&mut self, slot: u32) {
        self.probe.take_if(|probe| probe.slot == slot);
    }

    /// Whether there are so many workers that it matters in which order they are served.
    pub(super) fn has_many_workers(&self) -> bool {
        self.workers.usable() >= self.config.probe_from.max(2)
    }

    /// Whether tasks of the layer of this one, which is the first in the common queue, are for few workers now.
    pub(super) fn is_probed(&mut self, first: TaskId) -> bool {
        self.probe.take_if(|probe| probe.until.is_some_and(|until| until <= self.now));
        if !self.has_many_workers() {
            return false;
        }
        let threads = self.workers.usable_threads().max(1);
        let Some(slot) = self.slots[first.slot as usize].as_mut() else { return false };
        let open = slot.edges.is_empty() && !slot.sizes.waits && (slot.sizes.count == 0 || slot.is_short());
        // What few workers have by now counts, so that it does not become less on the way.
        let share = u64::from(slot.counts[2] + slot.counts[3]) / threads;
        if !open || share < MANY_TASKS || slot.sizes.count >= share.max(slot.sizes.worth()).min(AHEAD_TASKS) {
            self.probe.take_if(|probe| probe.slot == first.slot);
            return false;
        }
        if self.probe.as_ref().is_some_and(|probe| probe.slot == first.slot) {
            return true;
        }
        if std::mem::replace(&mut slot.sizes.probed, true) {
            return false;
        }
        self.probe = Some(Probe { slot: first.slot, until: None, workers: Vec::new() });
        true
    }

    /// Which of the few gets the next of the tasks that are for them only: all of them some before one has more.
    pub(super) fn prober(&mut self, first: TaskId, short: bool) -> Option<WorkerId> {
        let few = (self.workers.usable() / ONE_IN).max(FEWEST).min(self.workers.usable() / 2) as usize;
        let mut probe = self.probe.take()?;
        let fresh = self.workers.open().find(|worker| !probe.workers.contains(worker)).filter(|_| probe.workers.len() < few);
        probe.workers.extend(fresh);
        let has_room = |worker: &WorkerId| self.workers.get(*worker).is_some_and(|record| record.may_have_more(short));
        let known = || probe.workers.iter().copied().filter(has_room).find(|worker| self.has_room_for_root(*worker, first));
        let found = fresh.or_else(known);
        self.probe = Some(probe);
        found
    }
}
