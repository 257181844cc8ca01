//! The scheduler's machine: what is wanted, what runs where, and what is kept.
//!
//! It refuses to know chunks, clocks, threads and sockets, and it never opens an operator. A task's record says what *is*;
//! beside it stand what is *wanted* (a count) and *which try* counts (the attempt):
//!
//! ```text
//! Idle -> Waiting{missing} -> Ready -> Assigned{worker} -> Stored{holder} -> Idle (released)
//!            ^                            |   |               |
//!            +------- given back ---------+   +-> Failed      +-> Waiting (the only copy was lost)
//! ```
//!
//! Invariant: a task is Waiting, Ready, Assigned or Stored exactly while somebody wants its chunk, so what nobody wants is
//! neither run nor kept, and a scheduler without runs holds nothing. This file dispatches only.
//!
//! ```
//! use partita_core::protocol::{About, SchedulerEvent, WorkerId};
//! use partita_core::scheduler::{Config, Scheduler};
//! let mut scheduler = Scheduler::new(Config::default());
//! let mut out = Vec::new();
//! scheduler.handle(0, SchedulerEvent::Joined { worker: WorkerId(1), about: About::plain("one", 2) }, &mut out);
//! assert!(out.is_empty());
//! assert_eq!(scheduler.snapshot().workers.len(), 1);
//! ```

mod cancel;
mod check;
mod explain;
mod finish;
mod loss;
mod place;
mod record;
mod retain;
mod snapshot;
mod story;
mod submit;

pub use explain::{Explanation, Reason};
use partita_graph::{Failure, Key, LayerId};
use place::RootQueue;
use record::{Bits, Slot, TaskId};
pub use snapshot::{LayerProgress, LayerView, RunProgress, RunView, Snapshot, WorkerView};
use std::collections::{BTreeMap, BTreeSet};
use story::Stories;
pub use story::{Happening, StoryEvent};

use crate::protocol::{RunId, SchedulerAction, SchedulerEvent, Tick, ToScheduler, WorkerId};

/// Settings of a scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tasks without inputs that a worker is given, as a multiple of its threads, rounded up. Default 1.1.
    pub saturation: f64,
    /// Deaths of workers under a task that are forgiven. The first counts for every task that the worker had, later ones only
    /// for tasks that it was executing; a task is given up only when it was executing. Default 3.
    pub allowed_failures: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { saturation: 1.1, allowed_failures: 3 }
    }
}

/// The machine.
pub struct Scheduler {
    config: Config,
    now: Tick,
    slots: Vec<Option<Slot>>,
    /// Slots that are empty: looking for one would make a graph of many layers cost the square of their number.
    free_slots: Vec<u32>,
    index: BTreeMap<LayerId, u32>,
    workers: BTreeMap<WorkerId, WorkerRecord>,
    runs: BTreeMap<RunId, RunRecord>,
    /// How many runs were submitted: earlier runs go first.
    submitted: u64,
    /// Holders of a stored chunk beside the first, which is in its record.
    replicas: BTreeMap<TaskId, Vec<WorkerId>>,
    /// Why a key failed, and how many runs that failed for it are not released yet.
    failures: BTreeMap<Key, (Failure, u32)>,
    /// The first attempt of a layer that comes again: higher than any that a worker may still speak of.
    attempts: BTreeMap<LayerId, u32>,
    roots: RootQueue,
    /// Tasks that became ready in this event.
    fresh: Vec<TaskId>,
    /// Chunks to drop, told to each worker once at the end of the event.
    frees: BTreeMap<WorkerId, Vec<Key>>,
    stories: Stories,
    out: Vec<SchedulerAction>,
}

/// What is known of a connected worker.
struct WorkerRecord {
    threads: u32,
    /// Tasks in state Assigned to it.
    assigned: u32,
    managed: u64,
    spilled: u64,
    paused: bool,
    /// Ready tasks that are best run here, by priority, not sent yet. Entries may be out of date.
    backlog: BTreeSet<(u64, TaskId)>,
}

/// What is known of a run.
struct RunRecord {
    /// Slots of its layers, in the graph's order.
    layers: Vec<u32>,
    /// Its wanted keys, by slot.
    results: BTreeMap<u32, Bits>,
    /// The tasks that it needed when it was submitted, by slot.
    needed: BTreeMap<u32, Bits>,
    /// Wanted keys that are not stored.
    unstored: u64,
    done: bool,
    notes: BTreeSet<String>,
    /// The failed key, once the run has failed.
    cause: Option<Key>,
}

impl Scheduler {
    /// A scheduler without workers and runs.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: 0,
            slots: Vec::new(),
            free_slots: Vec::new(),
            index: BTreeMap::new(),
            workers: BTreeMap::new(),
            runs: BTreeMap::new(),
            submitted: 0,
            replicas: BTreeMap::new(),
            failures: BTreeMap::new(),
            attempts: BTreeMap::new(),
            roots: RootQueue::default(),
            fresh: Vec::new(),
            frees: BTreeMap::new(),
            stories: Stories::default(),
            out: Vec::new(),
        }
    }

    /// Takes in what happened and appends to `out` what must be done, in order.
    pub fn handle(&mut self, now: Tick, event: SchedulerEvent, out: &mut Vec<SchedulerAction>) {
        self.now = now;
        std::mem::swap(&mut self.out, out);
        match event {
            SchedulerEvent::Joined { worker, about } => self.joined(worker, about.threads),
            SchedulerEvent::WorkerGone { worker, reason } => self.worker_gone(worker, reason),
            SchedulerEvent::Submit { run, graph, .. } => self.submit(run, graph),
            SchedulerEvent::Cancel(run) | SchedulerEvent::Release(run) => self.release(run),
            SchedulerEvent::Said(worker, message) if self.workers.contains_key(&worker) => self.said(worker, message),
            // A worker that is gone: whatever it says is stale. Time alone changes nothing here.
            SchedulerEvent::Said(..) | SchedulerEvent::Tick => {}
            _ => {}
        }
        self.flush_frees();
        self.place();
        std::mem::swap(&mut self.out, out);
    }

    fn said(&mut self, worker: WorkerId, message: ToScheduler) {
        match message {
            ToScheduler::Finished { key, attempt, nbytes, micros, notes, .. } => self.finished(worker, key, attempt, nbytes, micros, notes),
            ToScheduler::Failed { key, attempt, failure } => self.failed(worker, key, attempt, failure),
            ToScheduler::Started { key, attempt } => self.started(worker, key, attempt),
            ToScheduler::MissingInput { key, attempt, input, asked } => self.missing_input(worker, key, attempt, input, &asked),
            ToScheduler::Replicated(key) => self.replicated(worker, key),
            ToScheduler::Lost(key) => self.lost_at(worker, key),
            ToScheduler::Memory { managed, spilled, paused, .. } => {
                if let Some(record) = self.workers.get_mut(&worker) {
                    (record.managed, record.spilled, record.paused) = (managed, spilled, paused);
                }
            }
            ToScheduler::Retracted(..) | ToScheduler::Kept(..) | ToScheduler::Ended(..) | ToScheduler::AcquireFailed { .. } => {}
        }
    }
}
