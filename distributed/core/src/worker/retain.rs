//! What goes away: chunks that nobody wants, tries that nobody waits for, and tries that others could run sooner. What is in use
//! or on its way goes later, and until then its key is not used for anything new.

use partita_graph::Key;

use super::memory::Place;
use super::{Phase, Worker};
use crate::protocol::{Attempt, ToScheduler, WorkerAction};

impl Worker {
    /// Nobody wants the chunk. The scheduler counts it here no longer since it said so, unless it has heard of it once more meanwhile:
    /// a copy has no number of a try by which it would know that this is old. Then it must hear that the chunk has gone, or
    /// it would name this worker as a holder for ever.
    pub(super) fn free(&mut self, key: Key) {
        self.forget_copy(key);
        if let Some(held) = self.chunks.get_mut(&key) {
            if std::mem::take(&mut held.said_again) {
                self.out.push(WorkerAction::Send(ToScheduler::Lost(key)));
            }
            self.doom(key);
            self.drop_if_doomed(key);
        }
    }

    /// The chunk is to go. A task that waits for memory with it as an input must look at its inputs again.
    pub(super) fn doom(&mut self, key: Key) {
        let Some(held) = self.chunks.get_mut(&key) else { return };
        held.doomed = true;
        if held.pins > 0
            && let Some(claim) = &mut self.claim
        {
            claim.inputs_changed = true;
        }
        self.touch(key);
    }

    /// Drops a doomed chunk, unless a running task reads it or the shell is writing or reading it.
    pub(super) fn drop_if_doomed(&mut self, key: Key) {
        let Some(held) = self.chunks.get(&key) else { return };
        if !held.doomed || held.pins > 0 || matches!(held.place, Place::Spilling | Place::Loading) {
            return self.take_back(key);
        }
        self.memory.resident -= held.resident;
        self.memory.spilled -= held.disk;
        if let Some(at) = held.refused_until {
            self.disk.refused.remove(&(at, key));
        }
        self.chunks.remove(&key);
        self.out.push(WorkerAction::Drop(key));
        self.unblock(key);
    }

    /// A chunk that is to go is in use, perhaps by a task that waits inside for this very chunk: whoever wants it here anew gets it as
    /// it is.
    pub(super) fn take_back(&mut self, key: Key) {
        if !self.chunks.get(&key).is_some_and(|held| held.doomed && held.pins > 0 && held.is_sound()) {
            return;
        }
        if self.gather.needs.get(&(key, None)).is_some_and(|need| need.is_wanted() && need.in_flight.is_none()) {
            return self.fetched(key, None, 0);
        }
        self.make_ready(key);
    }

    /// A chunk of this key was on its way out and is not any more: who waited for that goes on.
    pub(super) fn unblock(&mut self, key: Key) {
        self.gather.list((key, None));
        self.make_ready(key);
    }

    fn make_ready(&mut self, key: Key) {
        if let Some(task) = self.tasks.get_mut(&key).filter(|task| task.phase == Phase::Blocked) {
            task.phase = Phase::Ready;
            self.ready.insert((task.assignment.priority, key));
        }
    }

    /// Nobody waits for this try. What has not begun is forgotten; what executes ends unheard; its chunk, if it is here
    /// already, goes. The scheduler hears when the try occupies nothing any more.
    pub(super) fn abandon(&mut self, key: Key, attempt: Attempt) {
        if let Some(task) = self.tasks.get_mut(&key) {
            if task.next.as_ref().is_some_and(|next| next.attempt == attempt) {
                task.next = None;
            } else if task.assignment.attempt == attempt {
                if task.abandoned {
                    return;
                }
                if task.phase == Phase::Executing {
                    task.abandoned = true;
                    self.abandoned += 1;
                    self.out.push(WorkerAction::Interrupt(key, attempt));
                    return self.clear_deadline(key);
                }
                self.remove_task(key);
            }
        } else if self.chunks.get(&key).is_some_and(|held| held.attempt == attempt) {
            self.free(key);
        }
        self.out.push(WorkerAction::Send(ToScheduler::Ended(key, attempt)));
    }

    /// Another worker could run this try. It goes unless it has a thread.
    pub(super) fn retract(&mut self, key: Key, attempt: Attempt) {
        let goes = match self.tasks.get_mut(&key) {
            Some(task) if task.next.as_ref().is_some_and(|next| next.attempt == attempt) => task.next.take().is_some(),
            Some(task) if task.assignment.attempt == attempt && !matches!(task.phase, Phase::Loading { .. } | Phase::Executing) => {
                self.remove_task(key);
                true
            }
            _ => false,
        };
        self.retracted += u64::from(goes);
        let answer = if goes { ToScheduler::Retracted(key, attempt) } else { ToScheduler::Kept(key, attempt) };
        self.out.push(WorkerAction::Send(answer));
    }
}
