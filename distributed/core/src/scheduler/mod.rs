//! The scheduler's machine: what runs where, and what is kept.

mod snapshot;

use partita_graph::Key;
pub use snapshot::{LayerProgress, LayerView, RunProgress, RunView, Snapshot, WorkerView};

use crate::protocol::{RunId, SchedulerAction, SchedulerEvent, Tick, WorkerId};

/// Settings of a scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tasks without inputs that a worker is given, as a multiple of its threads. Default 1.1.
    pub saturation: f64,
    /// Deaths of workers under a task before the task is given up. Default 3.
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
}

impl Scheduler {
    /// A scheduler without workers and runs.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// What happened, and what must be done.
    pub fn handle(&mut self, _now: Tick, _event: SchedulerEvent, _out: &mut Vec<SchedulerAction>) {
        debug_assert!(self.config.saturation > 0.0);
    }

    /// Derives every fact again from its sources; panics when one is wrong.
    pub fn check(&self) {}

    /// Everything at this moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// How far a run is.
    pub fn progress(&self, _run: RunId) -> RunProgress {
        RunProgress::default()
    }

    /// Who holds the chunk.
    pub fn holders(&self, _key: Key) -> Vec<WorkerId> {
        Vec::new()
    }
}
