//! The simulated world: one scheduler, some hosts, links between them, and a queue of what happens next.
//!
//! It performs what the machines ask for, late, twice or not at all, as the faults say. Messages of one sender to one
//! receiver keep their order; a doubled message comes right after its first copy. After each event the machine that heard
//! it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;
use partita_core::protocol::{About, ClientId, 
    Assignment, Attempt, Gone, RunId, SchedulerAction, SchedulerEvent, Tick, ToScheduler, ToWorker, WorkerAction, WorkerEvent, WorkerId,
};
use partita_core::scheduler::{self, Reason, Scheduler};
use partita_core::worker::{self, Worker};
use partita_graph::{Chunk, Failure, Graph, Key, Outcome, Registry, run_task};

use crate::faults::Faults;
use crate::happening::Happening;
use crate::node::Node;

/// What the shell knows of a run.
pub(crate) struct RunState {
    pub graph: Arc<Graph>,
    pub outcome: Option<Result<Vec<Chunk>, Failure>>,
    pub left: bool,
    pub notes: Vec<String>,
}

/// Counters of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub events: u64,
    pub executions: u64,
    pub deaths: u64,
    /// Occasions on which work may have to be repeated.
    pub losses: u64,
    pub spills: u64,
}

pub(crate) struct Cluster {
    pub now: Tick,
    pub rng: Rng,
    pub faults: Faults,
    pub scheduler: Scheduler,
    pub nodes: BTreeMap<WorkerId, Node>,
    pub runs: BTreeMap<RunId, RunState>,
    pub poison: BTreeSet<Key>,
    pub counts: Counts,
    /// Bytes of memory for each worker; 0 for no limit.
    pub memory_limit: u64,
    pub threads: u32,
    pub trace: Option<Vec<String>>,
    /// Nothing is taken away in this story: no worker goes, every fetch and every read succeeds.
    pub lossless: bool,
    registry: Registry,
    queue: BTreeMap<(Tick, u64), Happening>,
    sequence: u64,
    next_worker: u32,
    checked: bool,
}

impl Cluster {
    pub fn new(rng: Rng, faults: Faults, threads: u32, memory_limit: u64, registry: Registry) -> Self {
        Self {
            now: 0,
            rng,
            faults,
            scheduler: Scheduler::new(scheduler::Config::default()),
            nodes: BTreeMap::new(),
            runs: BTreeMap::new(),
            poison: BTreeSet::new(),
            counts: Counts::default(),
            memory_limit,
            threads,
            trace: None,
            lossless: false,
            registry,
            queue: BTreeMap::new(),
            sequence: 0,
            next_worker: 1,
            checked: true,
        }
    }

    /// Leaves out the checks after each event, for graphs so large that checking would take longer than running.
    pub fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    pub fn after(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), happening);
    }

    pub fn chance(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.rng.f64() < rate
    }

    fn up_to(&mut self, most: u64) -> u64 {
        self.rng.u64(0..=most)
    }

    /// The next thing happens. False when nothing is left to happen.
    pub fn step(&mut self) -> Result<bool, String> {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return Ok(false) };
        self.now = at;
        self.counts.events += 1;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{at:>9} {happening}"));
        }
        self.happen(happening)?;
        Ok(true)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::ToWorker(worker, message) => self.tell_worker(worker, WorkerEvent::Heard(message)),
            Happening::ToScheduler(worker, message) => {
                self.nothing_is_missing(worker, &message)?;
                self.tell_scheduler(SchedulerEvent::Said(worker, message))
            }
            Happening::Answer(worker, event) => self.tell_worker(worker, event),
            Happening::Ended(worker, key, attempt, outcome, micros) => self.ended(worker, key, attempt, *outcome, micros),
            Happening::Asked { by, from, key, part } => {
                self.asked(by, from, key, part);
                Ok(())
            }
            Happening::Arrived(worker, key, part, chunk) => self.arrived(worker, key, part, chunk),
            Happening::Written(worker, key) => self.written(worker, key),
            Happening::Read(worker, key) => self.read(worker, key),
            Happening::Measure(worker) => self.measure(worker),
            Happening::Submit(run, graph) => {
                let state = RunState { graph: graph.clone(), outcome: None, left: false, notes: Vec::new() };
                self.runs.insert(run, state);
                self.tell_scheduler(SchedulerEvent::Submit { run, client: ClientId::default(), graph })
            }
            Happening::Leave(run, cancel) => self.leave(run, cancel),
            Happening::Death => self.death(),
            Happening::Noticed(worker, reason) => self.tell_scheduler(SchedulerEvent::WorkerGone { worker, reason }),
            Happening::Join { repeat } => self.join(repeat),
            Happening::FaultsStop => {
                self.faults = self.faults.stopped();
                if self.nodes.is_empty() { self.join(false) } else { Ok(()) }
            }
        }
    }

    /// Where no fault takes anything away, a try that is still wanted finds its inputs. (A worker that has not heard yet that a
    /// try is abandoned may find them gone.)
    fn nothing_is_missing(&self, from: WorkerId, message: &ToScheduler) -> Result<(), String> {
        let ToScheduler::MissingInput { key, attempt: of, input, .. } = message else { return Ok(()) };
        match self.scheduler.explain(*key).reason {
            Reason::Assigned { worker, attempt, .. } if self.lossless && worker == from && attempt == *of => {
                Err(format!("{key:?} misses its input {input:?} though no fault takes anything away"))
            }
            _ => Ok(()),
        }
    }

    pub fn leave(&mut self, run: RunId, cancel: bool) -> Result<(), String> {
        match self.runs.get_mut(&run) {
            Some(state) if !state.left => state.left = true,
            _ => return Ok(()),
        }
        self.tell_scheduler(if cancel { SchedulerEvent::Cancel(run) } else { SchedulerEvent::Release(run) })
    }

    pub fn join(&mut self, repeat: bool) -> Result<(), String> {
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let slow = if self.faults.slow > 1 { self.rng.u64(1..=self.faults.slow) } else { 1 };
        self.nodes.insert(id, Node::new(Worker::new(worker::Config::new(self.threads, self.memory_limit)), slow));
        if self.memory_limit > 0 {
            self.after(500, Happening::Measure(id));
        }
        if repeat && self.faults.join_every > 0 && self.nodes.len() < 6 {
            let delay = self.up_to(2 * self.faults.join_every);
            self.after(delay, Happening::Join { repeat });
        }
        self.tell_scheduler(SchedulerEvent::Joined { worker: id, about: About::plain(&format!("w{}", id.0), self.threads) })
    }

    fn death(&mut self) -> Result<(), String> {
        if self.faults.death_every == 0 {
            return Ok(());
        }
        let delay = self.up_to(2 * self.faults.death_every);
        self.after(delay, Happening::Death);
        let ids: Vec<WorkerId> = self.nodes.keys().copied().collect();
        if !ids.is_empty() {
            let victim = ids[self.rng.usize(0..ids.len())];
            let retire = self.faults.retire;
            let reason = if self.chance(retire) { Gone::Retired } else { Gone::died() };
            self.remove(victim, reason);
        }
        Ok(())
    }

    /// The host is gone at once; the scheduler notices later, and hears old messages until then and after.
    fn remove(&mut self, victim: WorkerId, reason: Gone) {
        if self.nodes.remove(&victim).is_none() {
            return;
        }
        self.counts.deaths += u64::from(reason != Gone::Retired);
        self.counts.losses += 1;
        let notice = self.up_to(self.faults.notice_within);
        self.after(notice, Happening::Noticed(victim, reason));
        let rejoin = self.up_to(self.faults.rejoin_within);
        self.after(rejoin, Happening::Join { repeat: false });
    }

    pub fn tell_scheduler(&mut self, event: SchedulerEvent) -> Result<(), String> {
        let mut out = Vec::new();
        self.scheduler.handle(self.now, event, &mut out);
        if self.checked {
            self.scheduler.check();
        }
        for action in out {
            match action {
                SchedulerAction::Send(worker, message) => self.send_to_worker(worker, message),
                SchedulerAction::RunDone(run) => self.collect(run),
                SchedulerAction::RunFailed(run, failure) => {
                    let state = self.runs.get_mut(&run).ok_or_else(|| format!("run {} failed but is not known", run.0))?;
                    state.outcome = Some(Err(failure));
                }
                SchedulerAction::Note(run, note) => {
                    let state = self.runs.get_mut(&run).ok_or_else(|| format!("a note for run {}, which is not known", run.0))?;
                    state.notes.push(note);
                }
                SchedulerAction::Value { .. }
                | SchedulerAction::Retired(_)
                | SchedulerAction::CannotRetire(..)
                | SchedulerAction::ClientForgotten(_) => {}
                SchedulerAction::Disconnect(worker, why) => return Err(format!("worker {} is disconnected: {why}", worker.0)),
            }
        }
        Ok(())
    }

    /// Reads the results of a run where they are. When one is out of reach the worker has died or lost it, and the
    /// scheduler will find out, make it again, and say so.
    fn collect(&mut self, run: RunId) {
        let Some(state) = self.runs.get(&run) else { return };
        let find = |key: &Key| self.scheduler.holders(*key).iter().find_map(|holder| self.nodes.get(holder)?.get(*key, None));
        let chunks: Option<Vec<Chunk>> = state.graph.wanted.iter().map(find).collect();
        if let (Some(chunks), Some(state)) = (chunks, self.runs.get_mut(&run)) {
            state.outcome = Some(Ok(chunks));
        }
    }

    fn send_to_worker(&mut self, worker: WorkerId, message: ToWorker) {
        let delay = self.up_to(self.faults.delay);
        let doubled = self.faults.doubled;
        let copies = 1 + u32::from(self.chance(doubled));
        let Some(node) = self.nodes.get_mut(&worker) else { return };
        node.inbound = node.inbound.max(self.now + delay);
        let delay = node.inbound - self.now;
        for _ in 0..copies {
            self.after(delay, Happening::ToWorker(worker, message.clone()));
        }
    }

    fn send_to_scheduler(&mut self, worker: WorkerId, message: ToScheduler) {
        let delay = self.up_to(self.faults.delay);
        let doubled = self.faults.doubled;
        let copies = 1 + u32::from(self.chance(doubled));
        let Some(node) = self.nodes.get_mut(&worker) else { return };
        node.outbound = node.outbound.max(self.now + delay);
        let delay = node.outbound - self.now;
        for _ in 0..copies {
            self.after(delay, Happening::ToScheduler(worker, message.clone()));
        }
    }

    /// An answer of a worker's shell, and perhaps the same answer again.
    fn answer(&mut self, worker: WorkerId, event: WorkerEvent) -> Result<(), String> {
        let doubled = self.faults.doubled;
        if self.chance(doubled) {
            self.after(0, Happening::Answer(worker, event.clone()));
        }
        self.tell_worker(worker, event)
    }

    fn tell_worker(&mut self, worker: WorkerId, event: WorkerEvent) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        let mut out = Vec::new();
        // A task that waited for a chunk from disk got its memory earlier.
        let may_begin_late = matches!(event, WorkerEvent::Loaded { .. } | WorkerEvent::SpillFailed { .. });
        node.worker.handle(self.now, event, &mut out);
        if self.checked {
            node.worker.check();
        }
        if !may_begin_late && out.iter().any(|action| matches!(action, WorkerAction::Execute(_))) {
            node.memory_was_granted(self.memory_limit)?;
        }
        for action in out {
            self.perform(worker, action)?;
        }
        Ok(())
    }

    fn perform(&mut self, worker: WorkerId, action: WorkerAction) -> Result<(), String> {
        let delay = self.up_to(self.faults.delay);
        let node = self.nodes.get_mut(&worker).expect("it just spoke");
        match action {
            WorkerAction::Send(message) => {
                self.counts.losses += u64::from(matches!(message, ToScheduler::Lost(_) | ToScheduler::MissingInput { .. }));
                self.send_to_scheduler(worker, message);
            }
            WorkerAction::Execute(assignment) => self.execute(worker, &assignment)?,
            WorkerAction::Interrupt(key, attempt) => {
                let flag = node.running.get(&(key, attempt)).ok_or_else(|| format!("{key:?} is interrupted but does not run"))?;
                flag.0.store(true, Ordering::Relaxed);
            }
            WorkerAction::Fetch { from, pieces } => {
                for (key, part) in pieces {
                    self.after(delay, Happening::Asked { by: worker, from, key, part });
                }
            }
            WorkerAction::DropPeer(_) => {}
            WorkerAction::Spill(key) => {
                if !node.memory.contains_key(&key) || node.is_read(key) || !node.busy.insert(key) {
                    return Err(format!("{key:?} cannot be spilled"));
                }
                self.counts.spills += 1;
                self.after(delay, Happening::Written(worker, key));
            }
            WorkerAction::Load(key) => {
                if !node.disk.contains_key(&key) || !node.busy.insert(key) {
                    return Err(format!("{key:?} cannot be loaded"));
                }
                self.after(delay, Happening::Read(worker, key));
            }
            WorkerAction::Drop(key) => node.drop_chunk(key)?,
            WorkerAction::DropPart(key, part) => {
                node.parts.remove(&(key, part));
            }
            WorkerAction::Warn(_) => {}
        }
        Ok(())
    }

    fn execute(&mut self, worker: WorkerId, assignment: &Assignment) -> Result<(), String> {
        self.counts.executions += 1;
        let micros = self.rng.u64(10..3_000);
        let node = self.nodes.get_mut(&worker).expect("it just spoke");
        let inputs = node.inputs(assignment)?;
        let flag = Arc::new(AtomicBool::new(false));
        let Assignment { key, attempt, .. } = *assignment;
        let reads = node.read_by(assignment);
        if node.running.insert((key, attempt), (flag, reads)).is_some() {
            return Err(format!("{key:?} try {attempt} runs twice"));
        }
        if node.running.len() > self.threads as usize {
            return Err(format!("worker {} runs {} tasks", worker.0, node.running.len()));
        }
        let micros = micros * node.slow;
        let outcome = run_task(&assignment.layer, key, attempt, &inputs, &AtomicBool::new(false), &self.registry);
        self.after(micros, Happening::Ended(worker, key, attempt, Box::new(outcome), micros));
        Ok(())
    }

    fn ended(&mut self, worker: WorkerId, key: Key, attempt: Attempt, outcome: Outcome, micros: u64) -> Result<(), String> {
        let half = self.rng.bool();
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        let (flag, _) = node.running.remove(&(key, attempt)).ok_or_else(|| format!("{key:?} ends but does not run"))?;
        if self.poison.contains(&key) {
            self.remove(worker, Gone::died());
            return Ok(());
        }
        // An operator that is told to stop may stop, or may be done before it looks.
        let interrupted = flag.load(Ordering::Relaxed) && half;
        let failure = match outcome.result {
            Ok(_) if interrupted => Failure::new(partita_graph::Code::Cancelled, "the task was cancelled while it ran"),
            Ok(chunk) => {
                let nbytes = chunk.nbytes();
                node.memory.insert(key, chunk);
                return self.answer(worker, WorkerEvent::Ran { key, attempt, nbytes, spillable: true, micros, notes: outcome.notes, value: None });
            }
            Err(failure) => failure,
        };
        self.answer(worker, WorkerEvent::RunFailed { key, attempt, failure })
    }

    fn asked(&mut self, by: WorkerId, from: WorkerId, key: Key, part: Option<u32>) {
        let fails = self.faults.fetch_fails;
        let fails = self.chance(fails);
        let delay = self.up_to(self.faults.delay);
        let found = self.nodes.get(&from).filter(|_| !fails).and_then(|peer| Some((peer.get(key, part)?, peer.slow)));
        match found {
            Some((chunk, slow)) => self.after(delay * slow, Happening::Arrived(by, key, part, chunk)),
            None => {
                self.counts.losses += 1;
                self.after(delay, Happening::Answer(by, WorkerEvent::FetchFailed { key, part, from }));
            }
        }
    }

    fn arrived(&mut self, worker: WorkerId, key: Key, part: Option<u32>, chunk: Chunk) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        let nbytes = chunk.nbytes();
        match part {
            Some(part) => drop(node.parts.insert((key, part), chunk)),
            None => drop(node.memory.entry(key).or_insert(chunk)),
        }
        self.answer(worker, WorkerEvent::Fetched { key, part, nbytes })
    }

    fn written(&mut self, worker: WorkerId, key: Key) -> Result<(), String> {
        let fails = self.faults.spill_fails;
        let fails = self.chance(fails);
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        node.busy.remove(&key);
        if fails {
            return self.answer(worker, WorkerEvent::SpillFailed { key });
        }
        let chunk = node.memory.remove(&key).ok_or_else(|| format!("{key:?} was dropped while it was written"))?;
        node.mapped.remove(&key);
        let disk = chunk.nbytes();
        node.disk.insert(key, chunk);
        self.answer(worker, WorkerEvent::Spilled { key, disk })
    }

    fn read(&mut self, worker: WorkerId, key: Key) -> Result<(), String> {
        let fails = self.faults.load_fails;
        let fails = self.chance(fails);
        let maps = self.faults.maps;
        let Some(node) = self.nodes.get_mut(&worker) else { return Ok(()) };
        node.busy.remove(&key);
        if fails {
            return self.answer(worker, WorkerEvent::LoadFailed { key });
        }
        let chunk = node.disk.get(&key).cloned().ok_or_else(|| format!("{key:?} was dropped while it was read"))?;
        let nbytes = if maps { 0 } else { chunk.nbytes() };
        node.memory.insert(key, chunk);
        if maps {
            node.mapped.insert(key);
        }
        self.answer(worker, WorkerEvent::Loaded { key, nbytes })
    }

    fn measure(&mut self, worker: WorkerId) -> Result<(), String> {
        let overhead = self.faults.overhead;
        let Some(node) = self.nodes.get(&worker) else { return Ok(()) };
        let rss = (node.bytes() as f64 * overhead) as u64;
        if self.runs.values().any(|state| !state.left && state.outcome.is_none()) || !self.runs.is_empty() && node.worker.snapshot().paused
        {
            self.after(700, Happening::Measure(worker));
        }
        self.tell_worker(worker, WorkerEvent::Measured { rss })
    }
}
