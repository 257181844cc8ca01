//! What goes away: chunks that nobody wants and tries that nobody waits for. What is in use or on its way goes later, and
//! until then its key is not used for anything new.

use partita_graph::Key;

use super::memory::Place;
use super::{Phase, Worker};
use crate::protocol::{Attempt, WorkerAction};

impl Worker {
    /// Nobody wants the chunk.
    pub(super) fn free(&mut self, key: Key) {
        if let Some(held) = self.chunks.get_mut(&key) {
            held.doomed = true;
            self.touch(key);
            self.drop_if_doomed(key);
        }
    }

    /// Drops a doomed chunk, unless a running task reads it or the shell is writing or reading it.
    pub(super) fn drop_if_doomed(&mut self, key: Key) {
        let Some(held) = self.chunks.get(&key) else { return };
        if !held.doomed || held.pins > 0 || matches!(held.place, Place::Spilling | Place::Loading) {
            return;
        }
        self.memory.resident -= held.resident;
        self.memory.spilled -= held.disk;
        self.chunks.remove(&key);
        self.out.push(WorkerAction::Drop(key));
    }

    /// Nobody waits for this try. What has not begun is forgotten; what executes ends unheard; its chunk, if it is here
    /// already, goes.
    pub(super) fn abandon(&mut self, key: Key, attempt: Attempt) {
        let Some(task) = self.tasks.get_mut(&key) else {
            if self.chunks.get(&key).is_some_and(|held| held.attempt == attempt) {
                self.free(key);
            }
            return;
        };
        if task.next.as_ref().is_some_and(|next| next.attempt == attempt) {
            task.next = None;
        }
        if task.assignment.attempt != attempt || task.abandoned {
            return;
        }
        if task.phase == Phase::Executing {
            task.abandoned = true;
            self.out.push(WorkerAction::Interrupt(key, attempt));
        } else {
            self.remove_task(key);
        }
    }
}
