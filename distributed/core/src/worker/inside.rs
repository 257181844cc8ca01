//! Tasks whose operator waits inside for something that other tasks may have to do first: it gives its thread up for that time, so
//! that they run here, and takes it back when it goes on.
//!
//! It refuses to know what is waited for. Invariants: a task that waits keeps its memory and can be told to stop like any other; one
//! that goes on counts at once, so for a while there may be more than there are threads, and until that is over nothing is started.

use partita_graph::Key;

use super::{Phase, Task, Worker};
use crate::protocol::{Attempt, ToScheduler, WorkerAction};

impl Worker {
    /// The operator of this try waits. A doubled message changes nothing.
    pub(super) fn waits(&mut self, key: Key, attempt: Attempt) {
        let Some(task) = self.executing(key, attempt).filter(|task| !task.waits) else { return };
        task.waits = true;
        let is_wanted = !task.abandoned;
        self.running -= 1;
        self.waiting += 1;
        if is_wanted {
            self.out.push(WorkerAction::Send(ToScheduler::Waits(key, attempt)));
        }
    }

    /// It goes on.
    pub(super) fn resumes(&mut self, key: Key, attempt: Attempt) {
        let Some(task) = self.executing(key, attempt).filter(|task| task.waits) else { return };
        (task.waits, task.has_waited) = (false, true);
        let is_wanted = !task.abandoned;
        self.waiting -= 1;
        self.running += 1;
        if is_wanted {
            self.out.push(WorkerAction::Send(ToScheduler::Resumes(key, attempt)));
        }
    }

    /// The operator of this try says how far it is, which the scheduler hears unless nobody wants the result any more.
    pub(super) fn told(&mut self, key: Key, attempt: Attempt, done: u64, total: u64) {
        if self.executing(key, attempt).is_some_and(|task| !task.abandoned) {
            self.out.push(WorkerAction::Send(ToScheduler::Told { key, attempt, done, total }));
        }
    }

    fn executing(&mut self, key: Key, attempt: Attempt) -> Option<&mut Task> {
        self.tasks.get_mut(&key).filter(|task| task.phase == Phase::Executing && task.assignment.attempt == attempt)
    }
}
