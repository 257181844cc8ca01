//! Tries that may run only so long. One that passes its limit is told to stop and is reported as failed at once; its thread stays
//! taken until its operator really returns, and of its result nothing more is said. It refuses to know how an operator stops.

use std::time::Duration;

use partita_graph::{Code, Failure, Key, TaskPlace};

use super::{Task, Worker};
use crate::protocol::{Tick, ToScheduler, WorkerAction};

impl Worker {
    /// The try begins to run.
    pub(super) fn set_deadline(&mut self, key: Key, limit: u64) {
        let at = self.now.saturating_add(limit);
        self.deadlines.insert((at, key));
        self.tasks.get_mut(&key).expect("a task with a thread").deadline = Some(at);
    }

    /// The try ends or is not wanted any more.
    pub(super) fn clear_deadline(&mut self, key: Key) {
        if let Some(at) = self.tasks.get_mut(&key).and_then(|task| task.deadline.take()) {
            self.deadlines.remove(&(at, key));
        }
    }

    /// Gives up the tries that have run too long.
    pub(super) fn stop_late(&mut self) {
        while let Some((_, key)) = self.deadlines.first().copied().filter(|(at, _)| *at <= self.now) {
            self.deadlines.pop_first();
            let task = self.tasks.get_mut(&key).expect("what has a deadline runs");
            task.deadline = None;
            task.abandoned = true;
            self.abandoned += 1;
            self.timed_out += 1;
            let (attempt, failure) = (task.assignment.attempt, too_late(task, self.now));
            self.out.push(WorkerAction::Interrupt(key, attempt));
            self.out.push(WorkerAction::Send(ToScheduler::Failed { key, attempt, failure }));
        }
    }
}

fn too_late(task: &Task, now: Tick) -> Failure {
    let (layer, key) = (&task.assignment.layer, task.assignment.key);
    let ran = Duration::from_micros(now - task.began);
    let limit = Duration::from_micros(task.assignment.timeout.unwrap_or_default());
    let what = format!("a task of `{}` ran for {ran:?} and was told to stop; its limit is {limit:?}", layer.name);
    Failure::new(Code::TaskTimeout, what)
        .help("raise the limit with `.timeout(…)` in the annotations of the step, or make its blocks smaller")
        .origin(layer.origin.as_ref())
        .task(TaskPlace::of(layer, key, task.assignment.attempt))
}
