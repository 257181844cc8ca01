//! The process as a whole: it may use more memory than its chunks, and then chunks give way, and work does.
//!
//! A worker all of whose threads are taken by tries that nobody wants any more, and that do not return, is paused as one without
//! memory is: what it was given goes to others. It refuses to know who measures. Invariants: while the worker is paused nothing is
//! fetched and no task starts beside another; what has not begun is handed back once when a pause begins; what the scheduler hears
//! is new at once when a pause begins or ends, and else at most a few times a second.

use partita_graph::Key;

use super::{Phase, Task, Worker};
use crate::protocol::{Tick, ToScheduler, WorkerAction};

/// A pause ends below this share of the bytes at which it began, so that it does not end and begin with every measurement.
const RELIEF: f64 = 0.95;

/// Tries that nobody wants mostly return at once; after so many microseconds their threads are taken to be lost.
const PATIENCE: u64 = 1_000_000;

/// Reports without need are at least so many microseconds apart.
const REPORT_EVERY: u64 = 200_000;

/// What is reported beside the pause.
#[derive(Clone, Copy, Default, PartialEq)]
struct Figures {
    managed: u64,
    spilled: u64,
    spilled_total: u64,
    rss: u64,
}

/// The state of the process.
#[derive(Default)]
pub(super) struct Pressure {
    pub rss: u64,
    /// For want of memory, or of a thread.
    pub paused: bool,
    /// For want of memory.
    full: bool,
    /// Since when all threads are taken by tries that nobody wants.
    taken_since: Option<Tick>,
    /// When something ran last, or the pause began.
    pub idle_since: Tick,
    /// When the last report was made, and what it said.
    reported: (Tick, Figures),
}

impl Worker {
    /// The shell has measured.
    pub(super) fn measured(&mut self, rss: u64) {
        self.pressure.rss = rss;
        if let (Some(high), Some(low)) = (self.config.mark(self.config.spill), self.config.low_mark())
            && rss > high
            && self.memory.spilling == 0
        {
            let keep = self.memory.resident.saturating_sub(rss - low);
            self.spill_down(0, keep);
        }
        let full = |pause: u64| rss > if self.pressure.full { (pause as f64 * RELIEF) as u64 } else { pause };
        self.pressure.full = self.config.mark(self.config.pause).is_some_and(full);
        self.pressure.taken_since = if self.all_taken() { self.pressure.taken_since.or(Some(self.now)) } else { None };
        let was = self.pressure.paused;
        let taken = self.pressure.taken_since.is_some_and(|since| self.now >= since + PATIENCE);
        self.pressure.paused = self.pressure.full || taken;
        if was == self.pressure.paused {
            return self.report_now_and_then();
        }
        self.report();
        if self.pressure.paused {
            self.pressure.idle_since = self.now;
            self.hand_back();
        }
    }

    /// Whether no thread is left, because tries that nobody wants have them all.
    fn all_taken(&self) -> bool {
        let threads = self.config.threads;
        let takes = |task: &&Task| task.phase == Phase::Executing && task.abandoned && !task.waits;
        self.abandoned >= threads && self.tasks.values().filter(takes).count() as u32 >= threads
    }

    /// A try that nobody wanted has returned: there is a thread again.
    pub(super) fn thread_is_back(&mut self) {
        if self.pressure.taken_since.is_some() && !self.all_taken() {
            self.pressure.taken_since = None;
            if self.pressure.paused && !self.pressure.full {
                self.pressure.paused = false;
                self.report();
            }
        }
    }

    /// What has no thread goes back to the scheduler, which knows who has room; when nothing runs, the most urgent task
    /// stays and is run: it may be what fills the memory, and would fill any other's. What the scheduler gives this worker all the same stays too.
    fn hand_back(&mut self) {
        let has_thread = |phase: Phase| matches!(phase, Phase::Loading { .. } | Phase::Executing);
        let stays = if self.running == 0 { self.most_urgent() } else { None };
        let goes = |key: &Key, task: &Task| !has_thread(task.phase) && Some(*key) != stays;
        let queued: Vec<Key> = self.tasks.iter().filter(|(key, task)| goes(key, task)).map(|(key, _)| *key).collect();
        for key in queued {
            let attempt = self.remove_task(key).assignment.attempt;
            self.retracted += 1;
            self.out.push(WorkerAction::Send(ToScheduler::Retracted(key, attempt)));
        }
        let next: Vec<_> = self.tasks.values_mut().filter_map(|task| task.next.take()).collect();
        for assignment in next {
            self.retracted += 1;
            self.out.push(WorkerAction::Send(ToScheduler::Retracted(assignment.key, assignment.attempt)));
        }
        let copies = self.gather.needs.iter().filter(|(_, need)| need.copy && need.in_flight.is_none());
        let copies: Vec<Key> = copies.map(|((key, _), _)| *key).collect();
        for key in copies {
            self.forget_copy(key);
            self.out.push(WorkerAction::Send(ToScheduler::AcquireFailed { key, asked: Vec::new() }));
        }
    }

    /// The first ready task, or else the most urgent one that waits for inputs.
    fn most_urgent(&self) -> Option<Key> {
        let waiting = || self.tasks.iter().map(|(key, task)| (task.assignment.priority, *key)).min();
        self.ready.first().copied().or_else(waiting).map(|(_, key)| key)
    }

    /// Reports if the last report is some time ago and something has changed.
    pub(super) fn report_now_and_then(&mut self) {
        let (at, last) = self.pressure.reported;
        if self.now >= at + REPORT_EVERY && last != self.figures() {
            self.report();
        }
    }

    /// Before a result is said: whoever hears that a run is done knows what was written for it.
    pub(super) fn report_spills(&mut self) {
        if self.memory.spilled_total != self.pressure.reported.1.spilled_total {
            self.report();
        }
    }

    fn figures(&self) -> Figures {
        let memory = &self.memory;
        Figures { managed: memory.resident, spilled: memory.spilled, spilled_total: memory.spilled_total, rss: self.pressure.rss }
    }

    fn report(&mut self) {
        let figures = self.figures();
        self.pressure.reported = (self.now, figures);
        let Figures { managed, spilled, spilled_total, rss } = figures;
        let paused = self.pressure.paused;
        self.out.push(WorkerAction::Send(ToScheduler::Memory { managed, spilled, spilled_total, paused, rss }));
    }
}
