//! The simulated world: one scheduler, some hosts, links between them, clients, and a queue of what happens next.
//!
//! It performs what the machines ask for, late, twice or not at all, as the faults say. Messages of one sender to one
//! receiver keep their order; a doubled message or answer comes right after its first copy, with nothing between. After each event
//! the machine that heard it is checked. This file holds the queue; what happens stands in the files beside it.

mod actors;
mod agree;
mod host;
mod inside;
mod people;
mod results;
mod talk;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use actors::{Actor, FIRST_ACTOR};
use fastrand::Rng;
pub(crate) use inside::{FIRST_INSIDE, Inside, Wait};
use partita_core::protocol::{ClientId, Piece, RunId, SchedulerEvent, Tick, ToScheduler, WorkerId};
use partita_core::scheduler::{self, Reason, Scheduler};
use partita_graph::{Key, Registry};
pub(crate) use people::ClientState;
pub(crate) use results::RunState;

use crate::agree::Agreed;
use crate::excuses::Excuses;
use crate::faults::Faults;
use crate::happening::Happening;
use crate::node::Node;
use crate::random_graph::Fate;
use crate::scenario::Report;

/// A request of one worker to another that is under way.
pub(crate) struct Request {
    pub by: WorkerId,
    pub from: WorkerId,
    pub left: Vec<Piece>,
    /// The peer has begun to serve it.
    pub served: bool,
}

pub(crate) struct Cluster {
    pub now: Tick,
    pub rng: Rng,
    pub faults: Faults,
    /// The faults have stopped.
    pub quiet: bool,
    pub scheduler: Scheduler,
    pub nodes: BTreeMap<WorkerId, Node>,
    /// Names of the workers that the scheduler knows.
    pub names: BTreeMap<WorkerId, String>,
    pub runs: BTreeMap<RunId, RunState>,
    pub clients: BTreeMap<ClientId, ClientState>,
    pub requests: BTreeMap<u64, Request>,
    next_request: u64,
    pub fates: BTreeMap<Key, Fate>,
    /// Operators that wait inside.
    pub inside: Inside,
    pub actors: Vec<Actor>,
    actor_runs: u64,
    /// What processes agree on, beside the scheduler.
    pub agreed: Agreed,
    /// What happened so far; its time is filled in at the end.
    pub counts: Report,
    pub excuses: Excuses,
    /// What ran where, in order.
    pub starts: Vec<(Key, WorkerId)>,
    /// Who served which chunk to a peer, in order.
    pub served: Vec<(Key, WorkerId)>,
    /// At each start, how many tasks of its layer were running, itself included.
    pub crowds: Vec<(Key, usize)>,
    /// Bytes of memory for each worker; 0 for no limit.
    pub memory_limit: u64,
    pub threads: u32,
    pub trace: Option<Vec<String>>,
    /// Nothing is taken away in this story: no worker goes, every fetch and every read succeeds.
    pub lossless: bool,
    /// Some task says where it wants to run: in the end there is a worker of each name.
    pub wishful: bool,
    /// Where time goes on although nothing happens.
    pub ticking: bool,
    /// Workers that are not of the list of names have these names, in order.
    pub next_worker: u32,
    registry: Registry,
    queue: BTreeMap<(Tick, u64), Happening>,
    sequence: u64,
    /// When the scheduler's machine is woken next, if it wants to be.
    wake_at: Option<Tick>,
    /// How much in the queue is more than time passing.
    busy: u64,
    checked: bool,
}

impl Cluster {
    pub fn new(rng: Rng, faults: Faults, threads: u32, memory_limit: u64, registry: Registry) -> Self {
        let mut cluster = Self {
            now: 0,
            rng,
            scheduler: Scheduler::new(scheduler::Config::default()),
            faults,
            quiet: false,
            nodes: BTreeMap::new(),
            names: BTreeMap::new(),
            runs: BTreeMap::new(),
            clients: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            fates: BTreeMap::new(),
            inside: Inside::default(),
            actors: Vec::new(),
            actor_runs: 0,
            agreed: Agreed::default(),
            counts: Report::default(),
            excuses: Excuses::default(),
            starts: Vec::new(),
            served: Vec::new(),
            crowds: Vec::new(),
            memory_limit,
            threads,
            trace: None,
            lossless: false,
            wishful: false,
            ticking: true,
            next_worker: 1,
            registry,
            queue: BTreeMap::new(),
            sequence: 0,
            wake_at: None,
            busy: 0,
            checked: true,
        };
        cluster.after(0, Happening::Tick);
        cluster
    }

    /// With other settings of the scheduler's machine.
    pub fn scheduled_by(mut self, config: scheduler::Config) -> Self {
        self.scheduler = Scheduler::new(config);
        self
    }

    /// Leaves out the checks after each event, for graphs so large that checking would take longer than running.
    pub fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    pub fn after(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.busy += u64::from(!happening.is_idle());
        self.queue.insert((self.now + delay, self.sequence), happening);
    }

    pub fn chance(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.rng.f64() < rate
    }

    pub fn up_to(&mut self, most: u64) -> u64 {
        self.rng.u64(0..=most)
    }

    /// Whether nothing is going to happen but that time passes.
    pub fn idle(&self) -> bool {
        self.busy == 0 && self.nodes.values().all(|node| node.frozen.is_empty())
    }

    /// The next thing happens. False when nothing is left to happen.
    pub fn step(&mut self) -> Result<bool, String> {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return Ok(false) };
        self.now = at;
        self.counts.events += 1;
        self.busy -= u64::from(!happening.is_idle());
        self.happen(happening)?;
        self.runs_inside_end();
        Ok(true)
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Tick> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Messages wait at a link that is held up, and everything waits in a process that is stopped.
    fn held_up(&mut self, happening: Happening) -> Option<Happening> {
        match happening {
            Happening::ToWorker(worker, message) => match self.nodes.get_mut(&worker) {
                Some(node) if node.link.cut_in => {
                    node.link.held_in.push(message);
                    None
                }
                _ => self.frozen(Happening::ToWorker(worker, message)),
            },
            Happening::ToScheduler(worker, message) => match self.nodes.get_mut(&worker) {
                Some(node) if node.link.cut_out => {
                    node.link.held_out.push(message);
                    None
                }
                _ => Some(Happening::ToScheduler(worker, message)),
            },
            Happening::Agrees(step) => self.agree_held_up(step).and_then(|step| self.frozen(Happening::Agrees(step))),
            other => self.frozen(other),
        }
    }

    fn frozen(&mut self, happening: Happening) -> Option<Happening> {
        let node = happening.place().and_then(|place| self.nodes.get_mut(&place)).filter(|node| node.stopped);
        match node {
            Some(node) if !happening.is_idle() => node.frozen.push(happening),
            // Clocks that were missed do not ring later.
            Some(_) => self.after(self.faults.tick_every, happening),
            None => return Some(happening),
        }
        None
    }

    pub(crate) fn happen(&mut self, happening: Happening) -> Result<(), String> {
        let Some(happening) = self.held_up(happening) else { return Ok(()) };
        if let Some(trace) = self.trace.as_mut().filter(|_| !happening.is_idle()) {
            trace.push(format!("{:>9} {happening}", self.now));
        }
        match happening {
            Happening::ToWorker(worker, message) => self.worker_hears(worker, message),
            Happening::ToScheduler(worker, message) => {
                self.nothing_is_missing(worker, &message)?;
                self.tell_scheduler(SchedulerEvent::Said(worker, message))
            }
            Happening::Again(worker, event) => self.tell_worker(worker, event),
            Happening::Ended(worker, key, attempt, outcome, micros) => self.ended(worker, key, attempt, *outcome, micros),
            Happening::Halts(worker, key, attempt) => self.halts(worker, key, attempt),
            Happening::Resumes(worker, key, attempt) => self.resumes(worker, key, attempt),
            Happening::Asked { by, from, request } => self.asked(by, from, request),
            Happening::Arrived { by, request, piece, chunk } => self.arrived(by, request, piece, chunk),
            Happening::Refused { by, request } => self.refused(by, request),
            Happening::Closed { by, request } => self.closed(by, request),
            Happening::Written(worker, key) => self.written(worker, key),
            Happening::Read(worker, key) => self.read(worker, key),
            Happening::Measure(worker) => self.measure(worker),
            Happening::WorkerTick(worker) => self.worker_tick(worker),
            Happening::Tick => self.tick(),
            Happening::Wake => {
                self.wake_at = None;
                self.tell_scheduler(SchedulerEvent::Wake)
            }
            Happening::Submit(run, client, graph, ending) => self.submit(run, client, graph, ending),
            Happening::Leave(run, cancel) => self.leave(run, cancel),
            Happening::Forget(run, keys) => self.forget(run, keys),
            Happening::Look(client) => {
                self.look_again(client);
                Ok(())
            }
            Happening::Trouble(kind) => self.trouble(kind),
            Happening::Noticed(worker, reason) => self.noticed(worker, reason),
            Happening::LinkNoticed(worker, of) => self.link_noticed(worker, of),
            Happening::Mended(worker, of) => self.mended(worker, of),
            Happening::GivenUp(worker, of) => self.given_up(worker, of),
            Happening::Ends(worker) => self.ends(worker),
            // It is gone, or the same process is still there: numbers of workers are not used twice.
            Happening::Stay(worker) => self.tell_scheduler(SchedulerEvent::Stay(worker)),
            Happening::ClientBack(client) => self.client_back(client),
            Happening::Join { name, repeat } => self.join(name, repeat),
            Happening::Agrees(step) => self.agree(step),
            Happening::Acts(actor) => self.act(actor),
            Happening::FaultsStop => self.faults_stop(),
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

    /// The scheduler's clock rings while anything may wait for it.
    fn tick(&mut self) -> Result<(), String> {
        if self.ticking {
            self.after(self.faults.tick_every, Happening::Tick);
        }
        self.tell_scheduler(SchedulerEvent::Tick)
    }

    /// The scheduler's machine is woken as early as it wants.
    fn wake_in_time(&mut self) {
        let Some(at) = self.scheduler.wakes() else { return };
        if self.wake_at.is_none_or(|known| at < known) {
            self.wake_at = Some(at);
            self.after(at.saturating_sub(self.now), Happening::Wake);
        }
    }

    /// How many of these tasks ran at a time, at most, on the whole cluster.
    pub fn most_at_a_time(&self, keys: &[Key]) -> usize {
        self.crowds.iter().filter(|(key, _)| keys.contains(key)).map(|(_, crowd)| *crowd).max().unwrap_or(0)
    }

    /// The names that are in use, as the scheduler sees it.
    pub fn taken(&self) -> BTreeSet<&str> {
        self.names.values().map(String::as_str).collect()
    }
}
