//! The scheduler's shell: what is told to the machine, what it wants done, and the links to the workers.

use partita_core::protocol::{ClientId, SchedulerAction, SchedulerEvent, ToScheduler, ToWorker, WorkerId};

use super::Cluster;
use crate::agree::holder_of;
use crate::happening::Happening;

impl Cluster {
    pub fn tell_scheduler(&mut self, event: SchedulerEvent) -> Result<(), String> {
        let mut out = Vec::new();
        self.scheduler.handle(self.now, event, &mut out);
        if self.checked {
            self.scheduler.check();
        }
        self.wake_in_time();
        out.into_iter().try_for_each(|action| self.scheduler_wants(action))
    }

    fn scheduler_wants(&mut self, action: SchedulerAction) -> Result<(), String> {
        if let Some(trace) = &mut self.trace
            && !matches!(action, SchedulerAction::Send(..))
        {
            trace.push(format!("          -> {action:?}"));
        }
        match action {
            SchedulerAction::Send(worker, message) => self.send_to_worker(worker, message),
            SchedulerAction::RunDone(run) => self.run_done(run)?,
            SchedulerAction::RunFailed(run, failure) => {
                let state = self.runs.get_mut(&run).ok_or_else(|| format!("run {} failed but is not known", run.0))?;
                state.outcome = Some(Err(failure));
            }
            SchedulerAction::KeyDone { run, key } => self.key_done(run, key)?,
            SchedulerAction::KeysFailed { run, keys, failure } => self.keys_failed(run, &keys, &failure)?,
            SchedulerAction::Note(run, note) => {
                let state = self.runs.get_mut(&run).ok_or_else(|| format!("a note for run {}, which is not known", run.0))?;
                state.notes.push(note);
            }
            SchedulerAction::Value { run, key, value } => self.value(run, key, &value)?,
            SchedulerAction::Retired(worker) => self.retired(worker)?,
            SchedulerAction::CannotRetire(worker, _) => {
                if !self.names.contains_key(&worker) {
                    return Err(format!("worker {} cannot retire, but it is gone", worker.0));
                }
                self.counts.stayed += 1;
            }
            SchedulerAction::ClientForgotten(client) => self.client_forgotten(client)?,
            SchedulerAction::Disconnect(worker, why) => return Err(format!("worker {} is disconnected: {why}", worker.0)),
        }
        Ok(())
    }

    fn client_forgotten(&mut self, client: ClientId) -> Result<(), String> {
        let state = self.clients.get(&client).ok_or_else(|| format!("client {} is forgotten but was never there", client.0))?;
        if !state.lost {
            return Err(format!("client {} is forgotten though it is not lost", client.0));
        }
        self.counts.forgotten += 1;
        self.client_left(client)
    }

    fn send_to_worker(&mut self, worker: WorkerId, message: ToWorker) {
        match &message {
            ToWorker::Free(keys) => self.excuses.excuse(keys.iter().copied()),
            ToWorker::Abandon(key, _) => self.excuses.excuse([*key]),
            ToWorker::Acquire { .. } => self.counts.copies += 1,
            ToWorker::Retract(..) => self.counts.steals += 1,
            ToWorker::Holders { .. } => self.counts.other_holders += 1,
            _ => {}
        }
        let delay = self.up_to(self.faults.delay);
        let doubled = self.faults.doubled;
        let copies = 1 + u32::from(self.chance(doubled));
        let Some(node) = self.nodes.get_mut(&worker) else { return };
        node.link.inbound = node.link.inbound.max(self.now + delay);
        let delay = node.link.inbound - self.now;
        for _ in 0..copies {
            self.after(delay, Happening::ToWorker(worker, message.clone()));
        }
    }

    pub fn send_to_scheduler(&mut self, worker: WorkerId, message: ToScheduler) {
        match &message {
            ToScheduler::Lost(key) | ToScheduler::MissingInput { input: key, .. } | ToScheduler::AcquireFailed { key, .. } => {
                self.excuses.excuse([*key]);
            }
            ToScheduler::Memory { paused: true, .. } => self.counts.pauses += 1,
            _ => {}
        }
        let delay = self.up_to(self.faults.delay);
        let doubled = self.faults.doubled;
        let copies = 1 + u32::from(self.chance(doubled));
        let Some(node) = self.nodes.get_mut(&worker) else { return };
        node.link.outbound = node.link.outbound.max(self.now + delay);
        let delay = node.link.outbound - self.now;
        for _ in 0..copies {
            self.after(delay, Happening::ToScheduler(worker, message.clone()));
        }
    }

    /// Holds up the link, in both directions or in one. Whoever restores it says which break it was.
    pub fn cut(&mut self, worker: WorkerId, inbound: bool, outbound: bool) -> Option<u32> {
        let node = self.nodes.get_mut(&worker).filter(|node| !node.doomed && !node.link.cut_in && !node.link.cut_out)?;
        (node.link.cut_in, node.link.cut_out) = (inbound, outbound);
        node.link.breaks += 1;
        self.counts.breaks += 1;
        self.counts.half_open += u64::from(inbound != outbound);
        Some(node.link.breaks)
    }

    /// The scheduler's shell has heard nothing for too long and closes what is left of the connection.
    pub fn link_noticed(&mut self, worker: WorkerId, of: u32) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&worker).filter(|node| !node.doomed && node.link.breaks == of && !node.link.lost) else {
            return Ok(());
        };
        if !node.link.cut_in && !node.link.cut_out {
            return Ok(());
        }
        (node.link.cut_in, node.link.cut_out, node.link.lost) = (true, true, true);
        self.tell_scheduler(SchedulerEvent::LinkLost(worker))
    }

    /// The link is there again, and everything that was held up flows, in order. A stopped process goes on.
    pub fn mended(&mut self, worker: WorkerId, of: u32) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&worker).filter(|node| node.link.breaks == of) else { return Ok(()) };
        let lost = std::mem::take(&mut node.link.lost);
        (node.link.cut_in, node.link.cut_out, node.stopped) = (false, false, false);
        let frozen = std::mem::take(&mut node.frozen);
        let (inbound, outbound) = (std::mem::take(&mut node.link.held_in), std::mem::take(&mut node.link.held_out));
        if lost && !node.doomed {
            self.tell_scheduler(SchedulerEvent::LinkBack(worker))?;
        }
        for message in outbound {
            self.happen(Happening::ToScheduler(worker, message))?;
        }
        for happening in frozen {
            self.happen(happening)?;
        }
        inbound.into_iter().try_for_each(|message| self.happen(Happening::ToWorker(worker, message)))?;
        self.agree_mended(holder_of(worker))
    }
}
