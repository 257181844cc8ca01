//! What the machines want done is done here, one action after the other.
//!
//! It refuses to know why they want it. Invariants: it runs under the engine's lock, so nothing here is slow; what one
//! machine says to the other of the same engine is heard before anything else happens.

use partita_core::protocol::{SchedulerAction, SchedulerEvent, Tick, WorkerAction, WorkerEvent};

use crate::disk::Errand;
use crate::engine::{Above, Brought, Core, Engine, Event, HERE};

impl Engine {
    /// One event and all that follows from it.
    pub(crate) fn handle(&self, core: &mut Core, now: Tick, event: Event) {
        match (event, &mut core.above) {
            (Event::Worker(event), _) => core.worker.handle(now, event, &mut core.asked),
            (Event::Brought(brought), _) => {
                let Brought { key, part, len, chunk, nbytes, event } = *brought;
                let garbage = match part {
                    Some(part) => self.store.put_part(key, part, chunk, nbytes),
                    None => self.store.put_new(key, len, chunk, nbytes),
                };
                core.after.garbage.extend(garbage);
                core.worker.handle(now, event, &mut core.asked);
            }
            (Event::Scheduler(event), Above::Here(scheduler)) => scheduler.handle(now, event, &mut core.said),
            (Event::Scheduler(_), Above::Away(..)) => panic!("an event for the scheduler of another process"),
        }
        while !(core.said.is_empty() && core.asked.is_empty()) {
            let mut said = std::mem::take(&mut core.said);
            for action in said.drain(..) {
                self.scheduler_wants(core, now, action);
            }
            // Nothing can have been said meanwhile: only the worker was heard. The buffer goes back for the next time.
            debug_assert!(core.said.is_empty());
            core.said = said;
            let mut asked = std::mem::take(&mut core.asked);
            for action in asked.drain(..) {
                self.worker_wants(core, now, action);
            }
            debug_assert!(core.asked.is_empty());
            core.asked = asked;
        }
        if self.options.check {
            if let Above::Here(scheduler) = &core.above {
                scheduler.check();
            }
            core.worker.check();
        }
    }

    fn scheduler_wants(&self, core: &mut Core, now: Tick, action: SchedulerAction) {
        match action {
            SchedulerAction::Send(_, message) => core.worker.handle(now, WorkerEvent::Heard(message), &mut core.asked),
            SchedulerAction::RunDone(run) => core.after.ends.push((run, Ok(()))),
            SchedulerAction::RunFailed(run, failure) => core.after.ends.push((run, Err(failure))),
            SchedulerAction::KeyDone { run, key } => core.after.key(run, key, Ok(())),
            SchedulerAction::KeysFailed { run, keys, failure } => {
                keys.into_iter().for_each(|key| core.after.key(run, key, Err(failure.clone())));
            }
            SchedulerAction::Note(run, text) => core.after.notes.push((Some(run), text)),
            SchedulerAction::Value { .. }
            | SchedulerAction::Retired(_)
            | SchedulerAction::CannotRetire(..)
            | SchedulerAction::ClientForgotten(_) => {}
            SchedulerAction::Disconnect(_, why) => panic!("the worker of this process broke the protocol: {why}"),
        }
    }

    fn worker_wants(&self, core: &mut Core, now: Tick, action: WorkerAction) {
        match action {
            WorkerAction::Send(message) => match &mut core.above {
                Above::Here(scheduler) => scheduler.handle(now, SchedulerEvent::Said(HERE, message), &mut core.said),
                Above::Away(_, said) => said.push(message),
            },
            WorkerAction::Execute(assignment) => core.execute.push(assignment),
            WorkerAction::Interrupt(key, attempt) => {
                // The try may have been asked for in this same batch.
                core.after.loops += self.slots.push(&mut core.execute, false);
                core.after.interrupted.extend(self.slots.interrupt(key, attempt));
            }
            WorkerAction::Fetch { from, pieces } => match &self.outside {
                Some(outside) => outside.fetch(from, pieces),
                None => panic!("the only worker was told to fetch {pieces:?} from another"),
            },
            WorkerAction::DropPeer(peer) => self.outside.iter().for_each(|outside| outside.drop_peer(peer)),
            WorkerAction::Spill(key) => core.after.errand_threads += usize::from(self.errands.push(Errand::Spill(key))),
            WorkerAction::Load(key) => core.after.errand_threads += usize::from(self.errands.push(Errand::Load(key))),
            WorkerAction::Drop(key) => core.after.garbage.extend(self.store.remove(key)),
            WorkerAction::DropPart(key, part) => core.after.garbage.extend(self.store.remove_part(key, part)),
            WorkerAction::Warn(text) => core.after.notes.push((None, text)),
        }
    }
}
