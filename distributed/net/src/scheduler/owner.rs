//! The one task that owns the machine: it takes what is in the inbox, hands it over event by event, and does what the
//! machine wants.
//!
//! It runs on the thread of the links. Between two rounds every link that has something to say is heard, so that one round
//! answers all of them, and nothing waits for a thread to wake up.
//!
//! It refuses to decide anything that the machine decides. Invariants: nothing but this task touches the machine; what one
//! batch of events makes for one worker leaves as one message, unless it is much; a broken invariant of the machine ends everything loudly, with
//! every client told.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_core::coordination::Coordination;
use partita_core::protocol::{ClientId, RunId, SchedulerAction, SchedulerEvent, Tick, ToScheduler, ToWorker, WorkerId};
use partita_core::scheduler::{Config, Scheduler};
use partita_graph::{Failure, LayerId};

use super::Options;
use super::clients::{Client, RunBook, Shared};
use super::datasets::Dataset;
use super::diary::Diary;
use super::inbox::{Inbox, Incoming};
use super::nannies::Nanny;
use super::pending::{Pending, Told};
use super::roster::Roster;
use super::workers::Worker;
use crate::message::{SchedulerToClient, Sealed};
use crate::wire;

/// Between two ticks of the machine.
const TICK: Duration = Duration::from_millis(100);

/// What is the same for the whole life of a scheduler.
pub(super) struct Fixed {
    pub options: Options,
    pub epoch: u64,
    /// The cluster's name.
    pub cluster: String,
    /// `host:port`, for people.
    pub address: String,
}

/// Everything that the scheduler's shell knows.
pub(super) struct Owner {
    pub fixed: Fixed,
    pub machine: Scheduler,
    pub coordination: Coordination,
    pub inbox: Arc<Inbox>,
    pub roster: Arc<Roster>,
    pub diary: Arc<Diary>,
    pub started: Instant,
    pub workers: BTreeMap<WorkerId, Worker>,
    pub clients: BTreeMap<ClientId, Client>,
    pub nannies: BTreeMap<u128, Nanny>,
    /// Boxed, because nodes of a map that grows at its end are half empty.
    pub runs: BTreeMap<RunId, Box<RunBook>>,
    /// Layers that live runs contain, and how many.
    pub layers: BTreeMap<LayerId, Shared>,
    pub datasets: BTreeMap<String, Dataset>,
    pub pending: Vec<Pending>,
    /// Who in this process waits for the answer to which question.
    pub visitors: BTreeMap<u64, Told>,
    pub next_run: u64,
    pub next_query: u64,
    /// Workers with something in their outbox.
    pub dirty: Vec<WorkerId>,
    /// Clients with something in theirs.
    pub unsaid: Vec<ClientId>,
    /// Layers that no run contains any more, to be forgotten by workers after this batch.
    pub forget: Vec<LayerId>,
    /// What clients share with all workers, by name.
    pub shared: BTreeMap<String, Sealed>,
    /// Bytes that workers, those that are gone among them, ever wrote to disk for want of memory.
    pub spilled_total: u64,
    /// Since when there is neither a client nor a run.
    pub idle_since: Option<Instant>,
    /// Set once: the scheduler ends, for this reason.
    pub ending: Option<String>,
    /// What one message of a worker says, while it is handled.
    pub heard: Vec<ToScheduler>,
    /// Room for what is to be said to a worker, when that is much.
    pub spare: Vec<Vec<ToWorker>>,
    said: Vec<SchedulerAction>,
    follow: VecDeque<SchedulerEvent>,
    now: Instant,
}

impl Owner {
    pub fn new(fixed: Fixed, inbox: Arc<Inbox>, roster: Arc<Roster>, diary: Arc<Diary>) -> Self {
        let now = Instant::now();
        Self {
            machine: Scheduler::new(Config {
                client_grace: fixed.options.client_grace.as_micros() as u64,
                ..fixed.options.machine.clone()
            }),
            coordination: Coordination::new(),
            fixed,
            inbox,
            roster,
            diary,
            started: now,
            workers: BTreeMap::new(),
            clients: BTreeMap::new(),
            nannies: BTreeMap::new(),
            runs: BTreeMap::new(),
            layers: BTreeMap::new(),
            datasets: BTreeMap::new(),
            pending: Vec::new(),
            visitors: BTreeMap::new(),
            next_run: 1,
            next_query: 1,
            dirty: Vec::new(),
            unsaid: Vec::new(),
            forget: Vec::new(),
            shared: BTreeMap::new(),
            spilled_total: 0,
            idle_since: Some(now),
            ending: None,
            heard: Vec::new(),
            spare: Vec::new(),
            said: Vec::new(),
            follow: VecDeque::new(),
            now,
        }
    }

    /// Works until somebody wants the scheduler to end. An error means that the machine broke.
    pub async fn run(&mut self) -> Result<String, Failure> {
        let mut batch = Vec::new();
        let inbox = self.inbox.clone();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let wakes = self.machine.wakes().map(|at| self.started + Duration::from_micros(at));
            let tick = tokio::select! {
                biased;
                _ = ticks.tick() => true,
                () = inbox.filled() => false,
                () = until(wakes) => false,
            };
            // Whoever else has something to say by now is heard first.
            tokio::task::yield_now().await;
            inbox.take(&mut batch);
            self.now = Instant::now();
            let handled = catch_unwind(AssertUnwindSafe(|| self.round(&mut batch, tick)));
            if let Err(panic) = handled {
                let failure = broken(&*panic);
                self.mourn(&failure);
                return Err(failure);
            }
            if let Some(reason) = self.ending.take() {
                return Ok(reason);
            }
        }
    }

    fn round(&mut self, batch: &mut Vec<Incoming>, tick: bool) {
        for incoming in batch.drain(..) {
            match incoming {
                Incoming::Worker(id, what) => self.on_worker(id, what),
                Incoming::Client(id, what) => self.on_client(id, what),
                Incoming::Nanny(id, what) => self.on_nanny(id, what),
                Incoming::Visit(visit) => visit(self),
            }
        }
        if self.machine.wakes().is_some() {
            // What came may have taken long.
            self.now = Instant::now();
            if self.machine.wakes().is_some_and(|at| at <= self.machine_time()) {
                self.event(SchedulerEvent::Wake);
            }
        }
        if tick {
            self.event(SchedulerEvent::Tick);
            self.look_after_workers();
            self.end_patience();
            self.look_after_pending();
            self.look_at_deadlines();
            self.report_progress();
            self.look_at_idleness();
        }
        self.flush();
        self.flush_clients();
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    pub fn machine_time(&self) -> Tick {
        self.now.duration_since(self.started).as_micros() as Tick
    }

    /// Tells the machine what happened, and does what it wants; also what follows from that.
    pub fn event(&mut self, event: SchedulerEvent) {
        let now = self.machine_time();
        self.machine.handle(now, event, &mut self.said);
        loop {
            let mut said = std::mem::take(&mut self.said);
            for action in said.drain(..) {
                self.perform(action);
            }
            self.said = said;
            match self.follow.pop_front() {
                Some(event) => self.machine.handle(now, event, &mut self.said),
                None => break,
            }
        }
        if self.fixed.options.check {
            self.machine.check();
        }
    }

    /// The same from within an action, where the machine must not be entered again: it hears of it next.
    pub fn event_later(&mut self, event: SchedulerEvent) {
        self.follow.push_back(event);
    }

    fn perform(&mut self, action: SchedulerAction) {
        match action {
            SchedulerAction::Send(worker, message) => self.outbox(worker, message),
            SchedulerAction::Value { run, key, value } => {
                self.tell_of_keys(run, 1, value.len(), |news| news.values.push((key, bytes::Bytes::from_owner(value))));
            }
            SchedulerAction::KeyDone { run, key } => self.tell_of_keys(run, 1, 0, |news| news.done.push(key)),
            SchedulerAction::KeysFailed { run, keys, failure } => {
                self.tell_of_keys(run, keys.len(), 0, |news| news.failed.push((keys, failure)));
            }
            SchedulerAction::RunDone(run) => {
                self.run_ended(run, true);
                self.tell(run, SchedulerToClient::Done);
            }
            SchedulerAction::RunFailed(run, failure) => {
                self.run_ended(run, false);
                self.tell(run, |number| SchedulerToClient::Failed(number, failure));
            }
            SchedulerAction::Note(run, text) => self.tell(run, |number| SchedulerToClient::Note(number, text)),
            SchedulerAction::ClientForgotten(client) => self.client_forgotten(client),
            SchedulerAction::Retired(worker) => self.retired(worker),
            SchedulerAction::CannotRetire(worker, why) => self.cannot_retire(worker, why),
            SchedulerAction::Disconnect(worker, why) => self.disconnect(worker, why),
        }
    }

    fn look_at_idleness(&mut self) {
        let idle = self.runs.is_empty() && self.clients.is_empty();
        self.idle_since = if idle { self.idle_since.or(Some(self.now)) } else { None };
        if let (Some(timeout), Some(since)) = (self.fixed.options.idle_timeout, self.idle_since)
            && self.now.duration_since(since) >= timeout
        {
            self.end(format!("nothing happened for {timeout:?}, the idle timeout"));
        }
    }

    /// The scheduler ends after this batch.
    pub fn end(&mut self, reason: String) {
        self.ending.get_or_insert(reason);
    }

    /// The machine broke: its books cannot be trusted any more, so nobody gets a result from them.
    fn mourn(&mut self, failure: &Failure) {
        self.diary.write(&*failure.what);
        for book in self.runs.values() {
            if let Some(client) = self.clients.get(&book.client) {
                client.link.send(wire::encode_told(&SchedulerToClient::Failed(book.number, failure.clone())));
            }
        }
    }
}

/// Never, without a time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) if at <= Instant::now() => {}
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn broken(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "no message".into());
    Failure::internal("the scheduler found itself in a state that must not be, and ended").detail("what broke", text)
}
