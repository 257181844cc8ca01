//! Why a task is where it is, as data: the dashboard, the command line and a failing test print the same thing.

use std::fmt;

use partita_graph::{Failure, Key};
use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::obstacles::WorkerObstacles;
use super::record::{State, TaskId, visit};
use crate::protocol::{Attempt, WorkerId};

/// How many missing inputs an explanation names.
const NAMED: usize = 8;

/// Why a task is not done, or where its chunk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The task.
    pub key: Key,
    /// Name of its layer, when the layer is known.
    pub layer: String,
    /// Why.
    pub reason: Reason,
    /// For a task that could run: why it does not run there, for each worker.
    pub workers: Vec<WorkerObstacles>,
}

/// What an [`Explanation`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// No run refers to its layer.
    Unknown,
    /// Nobody wants it.
    NotWanted,
    /// Inputs are not stored.
    Waiting {
        /// The first of them.
        inputs: Vec<Key>,
    },
    /// It could run, but no worker is connected.
    NoWorkers,
    /// It could run, but no worker takes it now.
    Queued,
    /// A worker has it.
    Assigned {
        /// Which.
        worker: WorkerId,
        /// Which try.
        attempt: Attempt,
        /// Whether that worker starts nothing because its memory is full.
        paused: bool,
        /// Whether its operator waits inside for other tasks.
        waits: bool,
        /// How much of how much is done, as the operator said last.
        told: Option<(u64, u64)>,
    },
    /// Its chunk is there.
    Stored {
        /// Where.
        holders: Vec<WorkerId>,
    },
    /// It failed, or a task that it needs, and a run that wanted it is not released yet.
    Failed(Box<Failure>),
}

impl Scheduler {
    /// Why this task is where it is.
    pub fn explain(&self, key: Key) -> Explanation {
        let task = self.find(key);
        let layer = task.map(|task| self.slot(task.slot).layer.name.to_string()).unwrap_or_default();
        let reason = match (self.failures.get(&key), task) {
            (Some((failure, _)), _) => Reason::Failed(Box::new(failure.clone())),
            (None, None) => Reason::Unknown,
            (None, Some(task)) => self.reason(task),
        };
        let workers = match (&reason, task) {
            (Reason::Queued, Some(task)) => self.obstacles(task),
            _ => Vec::new(),
        };
        Explanation { key, layer, reason, workers }
    }

    fn reason(&self, task: TaskId) -> Reason {
        match self.record(task).state {
            State::Idle | State::Failed => self.doomed(task).unwrap_or(Reason::NotWanted),
            State::Waiting { .. } => Reason::Waiting { inputs: self.missing_inputs(task) },
            State::Ready if self.workers.is_empty() => Reason::NoWorkers,
            State::Ready => Reason::Queued,
            State::Assigned { worker } => {
                let record = self.workers.get(worker);
                let paused = record.is_some_and(|record| record.paused);
                let (waits, told) = record.map_or((false, None), |record| (record.tasks.waits(task), record.tasks.told(task)));
                Reason::Assigned { worker, attempt: self.record(task).attempt, paused, waits, told }
            }
            State::Stored { .. } => Reason::Stored { holders: self.holders_of(task) },
        }
    }

    /// Some run wanted it, and cannot have it.
    fn doomed(&self, task: TaskId) -> Option<Reason> {
        let cause = self.slot(task.slot).runs.keys().find_map(|run| self.runs[&run].rare()?.failed.get(&task))?;
        let (failure, _) = self.failures.get(cause)?;
        Some(Reason::Failed(Box::new(failure.clone())))
    }

    fn missing_inputs(&self, task: TaskId) -> Vec<Key> {
        let slot = self.slot(task.slot);
        let mut missing = Vec::new();
        for (edge, to) in slot.layer.edges.iter().zip(&slot.edges) {
            let producer = self.slot(to.producer);
            visit(&edge.wiring.inputs(task.index, producer.layer.len), |index| {
                if missing.len() < NAMED && !producer.records[index as usize].state.is_stored() {
                    missing.push(producer.key(index));
                }
            });
        }
        missing
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.layer, self.key)?;
        match &self.reason {
            Reason::Unknown => f.write_str("no run refers to it"),
            Reason::NotWanted => f.write_str("nobody wants it"),
            Reason::Waiting { inputs } => {
                let names: Vec<String> = inputs.iter().map(Key::to_string).collect();
                write!(f, "waits for {}", names.join(", "))
            }
            Reason::NoWorkers => f.write_str("could run, but no worker is connected"),
            Reason::Queued => {
                f.write_str("could run, but not now")?;
                let shown = self.workers.iter().take(NAMED);
                shown.enumerate().try_for_each(|(at, worker)| write!(f, "{} {worker}", if at == 0 { ":" } else { ";" }))?;
                match self.workers.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more"),
                }
            }
            Reason::Assigned { worker, attempt, paused, waits, told } => {
                write!(f, "with worker {} (try {attempt})", worker.0)?;
                f.write_str(if *paused { ", which is out of memory" } else { "" })?;
                f.write_str(if *waits { "; it waits inside for other tasks" } else { "" })?;
                told.iter().try_for_each(|(done, total)| write!(f, "; it says that {done} of {total} are done"))
            }
            Reason::Stored { holders } => {
                let names: Vec<String> = holders.iter().map(|holder| holder.0.to_string()).collect();
                write!(f, "stored at worker {}", names.join(", "))
            }
            Reason::Failed(failure) => write!(f, "failed: {}", failure.what),
        }
    }
}
