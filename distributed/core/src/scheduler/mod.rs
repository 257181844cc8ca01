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
//! A failed task takes with it the runs that need it, or, of a run whose keys end one by one, those keys (`cancel`, `each`).
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
mod check_workers;
mod clients;
mod copies;
mod demand;
mod each;
mod explain;
mod few;
mod finish;
mod give;
mod given;
mod inside;
mod loss;
mod obstacles;
mod place;
mod probe;
mod queue;
mod rebalance;
mod record;
mod replicas;
mod retain;
mod retire;
mod run;
mod snapshot;
mod steal;
mod story;
mod stuck;
mod submit;
mod vain;
mod workers;

use std::collections::BTreeMap;
use std::sync::Arc;

use clients::Clients;
use copies::Copies;
use demand::Demands;
pub use explain::{Explanation, Reason};
pub use obstacles::{Obstacle, WorkerObstacles};
use partita_graph::{Annotations, Failure, Key, LayerId};
use probe::Probe;
use queue::Queue;
use record::{Slot, TaskId};
use retire::Retirement;
use run::RunRecord;
pub use snapshot::{LayerProgress, LayerView, RunProgress, RunView, Snapshot, WorkerView};
use steal::Steal;
use story::Stories;
pub use story::{Happening, StoryEvent};
use stuck::Stuck;
use vain::Vain;
use workers::Workers;

use crate::protocol::{Attempt, RunId, SchedulerAction, SchedulerEvent, Tick, ToScheduler, WorkerId};

/// The layers' records, by slot.
type Slots = [Option<Slot>];

/// Settings of a scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tasks without inputs that a worker is given, as a multiple of its threads, rounded up. Default 1.1.
    pub saturation: f64,
    /// Deaths of workers under a task that are forgiven. The first counts for every task that the worker had, later ones only
    /// for tasks that it was executing; a task is given up only when it was executing. Default 3.
    pub allowed_failures: u32,
    /// How long a client may be out of reach before its runs are released, in microseconds. Default 30 s.
    pub client_grace: u64,
    /// After so many microseconds without any worker that could run it, a task fails. `None`, the default, to wait for ever.
    pub no_workers_timeout: Option<u64>,
    /// From so many workers on, a layer's first tasks are given to few of them, until it is known how long they take or some milliseconds
    /// are over. Shells of so many workers look when the machine [`wakes`](Scheduler::wakes). Default 128.
    pub probe_from: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { saturation: 1.1, allowed_failures: 3, client_grace: 30_000_000, no_workers_timeout: None, probe_from: 128 }
    }
}

/// How often surplus copies are looked for, in microseconds.
const TIDY_MICROS: u64 = 2_000_000;

/// The machine.
pub struct Scheduler {
    config: Config,
    now: Tick,
    slots: Vec<Option<Slot>>,
    /// Slots that are empty: looking for one would make a graph of many layers cost the square of their number.
    free_slots: Vec<u32>,
    index: BTreeMap<LayerId, u32>,
    workers: Workers,
    /// Boxed, because nodes of a map that grows at its end are half empty.
    runs: BTreeMap<RunId, Box<RunRecord>>,
    /// How many runs were submitted: earlier runs go first.
    submitted: u64,
    /// Holders of a stored chunk beside the first, which is in its record.
    replicas: BTreeMap<TaskId, Vec<WorkerId>>,
    /// Why a key failed, and how many runs and single results of runs that failed for it are not let go yet.
    failures: BTreeMap<Key, (Failure, u32)>,
    /// The first attempt of a layer that comes again: higher than any that a worker may still speak of.
    attempts: BTreeMap<LayerId, u32>,
    /// Ready tasks that any worker may take.
    roots: Queue,
    demands: Demands,
    /// Tasks that became ready in this event.
    fresh: Vec<TaskId>,
    /// Workers that may have room since this event.
    touched: Vec<WorkerId>,
    /// Chunks to drop, told to each worker once at the end of the event.
    frees: BTreeMap<WorkerId, Vec<Key>>,
    /// Bytes of one task's inputs by worker, all zero between uses.
    held: Vec<u64>,
    /// The layer of which few workers have the first tasks.
    probe: Option<Probe>,
    /// Workers have room for more of the common queue, which is given out in the next event.
    interrupted: bool,
    /// Whether tasks of the common queue were held back when it was looked at last.
    held_back: bool,
    /// Until then a backlog that did not pay to move is left alone.
    share_after: Tick,
    steals: BTreeMap<TaskId, Steal>,
    /// Tries that nobody waits for and that still occupy resources.
    lingering: BTreeMap<(WorkerId, Key, Attempt), Arc<Annotations>>,
    retiring: BTreeMap<WorkerId, Retirement>,
    copies: Copies,
    clients: Clients,
    stuck: Stuck,
    /// Active tasks that were given back because holders that live could not be read from.
    vain: BTreeMap<TaskId, Vain>,
    /// When the slower policies were last applied.
    tidied: Tick,
    stories: Stories,
    out: Vec<SchedulerAction>,
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
            workers: Workers::default(),
            runs: BTreeMap::new(),
            submitted: 0,
            replicas: BTreeMap::new(),
            failures: BTreeMap::new(),
            attempts: BTreeMap::new(),
            roots: Queue::default(),
            demands: Demands::default(),
            fresh: Vec::new(),
            touched: Vec::new(),
            frees: BTreeMap::new(),
            held: Vec::new(),
            probe: None,
            interrupted: false,
            held_back: false,
            share_after: 0,
            steals: BTreeMap::new(),
            lingering: BTreeMap::new(),
            retiring: BTreeMap::new(),
            copies: Copies::default(),
            clients: Clients::default(),
            stuck: Stuck::default(),
            vain: BTreeMap::new(),
            tidied: 0,
            stories: Stories::default(),
            out: Vec::new(),
        }
    }

    /// Takes in what happened and appends to `out` what must be done, in order.
    pub fn handle(&mut self, now: Tick, event: SchedulerEvent, out: &mut Vec<SchedulerAction>) {
        self.now = now;
        std::mem::swap(&mut self.out, out);
        match event {
            SchedulerEvent::Said(worker, message) if self.workers.contains(worker) => self.said(worker, message),
            // A worker that is gone: whatever it says is stale.
            SchedulerEvent::Said(..) => {}
            SchedulerEvent::Joined { worker, about } => self.joined(worker, about),
            SchedulerEvent::LinkLost(worker) => self.link_lost(worker),
            SchedulerEvent::LinkBack(worker) => self.link_back(worker),
            SchedulerEvent::Retire(worker) => self.retire(worker),
            SchedulerEvent::Stay(worker) => self.stay(worker),
            SchedulerEvent::WorkerGone { worker, reason } => self.worker_gone(worker, reason),
            SchedulerEvent::Submit { run, client, graph, ending } => self.submit(run, client, graph, ending),
            SchedulerEvent::Forget { run, keys } => self.forget_keys(run, &keys),
            SchedulerEvent::Cancel(run) | SchedulerEvent::Release(run) => self.release(run),
            SchedulerEvent::ClientLost(client) => self.client_lost(client),
            SchedulerEvent::ClientBack(client) => self.client_back(client),
            SchedulerEvent::ClientGone(client) => self.client_gone(client),
            SchedulerEvent::Restart => self.restart(),
            SchedulerEvent::Replicate { keys, copies } => self.replicate(&keys, copies),
            SchedulerEvent::Rebalance => self.rebalance(),
            SchedulerEvent::Tick => {
                // A shell that sends no wake-ups holds tasks back until here.
                self.wake();
                self.tick();
            }
            SchedulerEvent::Wake => self.wake(),
        }
        self.copy();
        self.flush_frees();
        self.place();
        self.retire_on();
        self.flush_frees();
        std::mem::swap(&mut self.out, out);
    }

    fn said(&mut self, worker: WorkerId, message: ToScheduler) {
        match message {
            ToScheduler::Finished { key, attempt, nbytes, micros, notes, value } => {
                let made = finish::Made { nbytes, micros, value };
                self.finished(worker, key, attempt, made, &notes);
            }
            ToScheduler::Failed { key, attempt, failure } => self.failed(worker, key, attempt, failure),
            ToScheduler::Started { key, attempt } => self.started(worker, key, attempt),
            ToScheduler::Waits(key, attempt) => self.waits(worker, key, attempt),
            ToScheduler::Resumes(key, attempt) => self.resumes(worker, key, attempt),
            ToScheduler::Told { key, attempt, done, total } => self.hear_progress(worker, key, attempt, (done, total)),
            ToScheduler::MissingInput { key, attempt, input, asked } => self.missing_input(worker, key, attempt, input, &asked),
            ToScheduler::WhoHas(key) => self.name_holders(worker, key),
            ToScheduler::Replicated(key) => self.replicated(worker, key),
            ToScheduler::Lost(key) => self.lost_at(worker, key),
            ToScheduler::Retracted(key, attempt) => self.retracted(worker, key, attempt),
            ToScheduler::Kept(key, attempt) => self.kept(worker, key, attempt),
            ToScheduler::Ended(key, attempt) => self.stop_lingering(worker, key, attempt),
            ToScheduler::AcquireFailed { key, asked } => self.acquire_failed(worker, key, &asked),
            ToScheduler::Memory { managed, spilled, spilled_total: _, paused, rss } => self.measured(worker, managed, spilled, paused, rss),
        }
    }

    /// Time passed: what is not worth looking at on each event.
    fn tick(&mut self) {
        self.forget_clients();
        self.look_for_stuck();
        self.steal();
        if self.now >= self.tidied + TIDY_MICROS {
            self.tidied = self.now;
            self.tidy_copies();
        }
    }
}
