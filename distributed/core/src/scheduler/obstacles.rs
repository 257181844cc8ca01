//! Why a task that could run does not run on a given worker, as data.

use std::fmt;

use partita_graph::Milli;
use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::record::TaskId;
use super::stuck::units;
use super::workers::WorkerRecord;
use crate::protocol::WorkerId;

/// Why one worker does not run a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerObstacles {
    /// Which worker.
    pub worker: WorkerId,
    /// Its name.
    pub name: String,
    /// What stands in the way; empty when nothing does and the next to be placed goes there.
    pub obstacles: Vec<Obstacle>,
}

/// What can stand in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Obstacle {
    /// It has enough to do.
    Busy {
        /// Tasks that it has.
        tasks: u32,
        /// How many it runs at a time.
        threads: u32,
    },
    /// Its memory is full.
    Paused,
    /// It is being emptied.
    Retiring,
    /// It cannot be heard.
    LinkLost,
    /// The task names other workers.
    NotNamed,
    /// It will never have enough of a resource.
    Lacks {
        /// Which.
        resource: String,
        /// What the task needs, in thousandths.
        needs: Milli,
        /// What it offers.
        has: Milli,
    },
    /// Other tasks occupy a resource.
    Taken {
        /// Which.
        resource: String,
        /// What the task needs, in thousandths.
        needs: Milli,
        /// What is free.
        free: Milli,
    },
}

impl Scheduler {
    pub(super) fn obstacles(&self, task: TaskId) -> Vec<WorkerObstacles> {
        let list = |(worker, record): (WorkerId, &WorkerRecord)| WorkerObstacles {
            worker,
            name: record.about.name.clone(),
            obstacles: self.obstacles_at(task, worker, record),
        };
        self.workers.iter().map(list).collect()
    }

    fn obstacles_at(&self, task: TaskId, worker: WorkerId, record: &WorkerRecord) -> Vec<Obstacle> {
        let slot = self.slot(task.slot);
        let mut found = Vec::new();
        if let Some(demand) = slot.demand.map(|demand| self.demands.get(demand)) {
            if let Some((resource, needs)) = demand.needs.lacks(&record.about) {
                let has = record.about.resources.get(resource).copied().unwrap_or(0);
                found.push(Obstacle::Lacks { resource: resource.clone(), needs, has });
            } else if !demand.fitting.contains(&worker) {
                found.push(Obstacle::NotNamed);
            } else {
                for (resource, needs) in &demand.needs.resources {
                    let free = record.about.resources.get(resource).copied().unwrap_or(0) - record.used.get(resource).copied().unwrap_or(0);
                    if free < *needs {
                        found.push(Obstacle::Taken { resource: resource.clone(), needs: *needs, free });
                    }
                }
            }
        }
        let flags = [(record.paused, Obstacle::Paused), (record.retiring, Obstacle::Retiring), (!record.linked, Obstacle::LinkLost)];
        found.extend(flags.into_iter().filter(|(holds, _)| *holds).map(|(_, obstacle)| obstacle));
        if record.assigned() >= record.threads {
            found.push(Obstacle::Busy { tasks: record.assigned(), threads: record.threads });
        }
        found
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Busy { tasks, threads } => write!(f, "is busy ({tasks} tasks for {threads} threads)"),
            Obstacle::Paused => f.write_str("is out of memory, or of threads: tasks that were told to stop have them all"),
            Obstacle::Retiring => f.write_str("is retiring"),
            Obstacle::LinkLost => f.write_str("cannot be heard"),
            Obstacle::NotNamed => f.write_str("is not named by the task"),
            Obstacle::Lacks { resource, needs, has } => write!(f, "lacks {resource} {} (has {})", units(*needs), units(*has)),
            Obstacle::Taken { resource, needs, free } => write!(f, "has no {resource} {} free (but {})", units(*needs), units(*free)),
        }
    }
}

impl fmt::Display for WorkerObstacles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.obstacles.is_empty() {
            return f.write_str(" could take it");
        }
        let texts: Vec<String> = self.obstacles.iter().map(Obstacle::to_string).collect();
        write!(f, " {}", texts.join(" and "))
    }
}
