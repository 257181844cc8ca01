//! One seed, one story: a random graph, a random cluster, random faults, some runs, whose keys end together or one by one; then the
//! faults stop, every run must end with the result of the oracle, or each key of it, and after everything is released nothing may
//! be left.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fastrand::Rng;
use partita_core::coordination::HolderId;
use partita_core::protocol::{ClientId, Ending, RunId};
use partita_core::scheduler;
use partita_graph::{Chunk, Code, Failure, Graph, Key, Layer, Registry, Serial};

use crate::cluster::{Cluster, FIRST_ACTOR, FIRST_INSIDE, RunState};
use crate::faults::Faults;
use crate::happening::Happening;
use crate::oracle::{MOST_EVENTS, memory_is_kept, nothing_left, release_all, same, stuck};
use crate::random_graph::{RandomGraph, digest, needed, random_graph, random_wanted};

/// Virtual time until the faults stop, at most.
const FAULTY_MICROS: u64 = 150_000;
/// Virtual time in which every run must end once the faults have stopped: two virtual minutes.
const PATIENCE_MICROS: u64 = 120_000_000;
/// How many of the last events a failure tells.
const TOLD: usize = 60;

/// What a seed did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that happened.
    pub events: u64,
    /// Operators that ran.
    pub executions: u64,
    /// Workers that died.
    pub deaths: u64,
    /// Chunks that were sent to disk.
    pub spills: u64,
    /// Workers that were given up though they lived.
    pub given_up: u64,
    /// Workers that retired.
    pub retired: u64,
    /// Workers that were to retire and stayed.
    pub stayed: u64,
    /// Links that broke, stopped processes among them.
    pub breaks: u64,
    /// Those of them that broke in one direction only.
    pub half_open: u64,
    /// Processes that were stopped and went on later.
    pub stops: u64,
    /// Workers that joined under the name of one that had gone.
    pub reborn: u64,
    /// Restarts of the whole cluster.
    pub restarts: u64,
    /// Times that a worker said that it was paused.
    pub pauses: u64,
    /// Chunks that a disk had no room for.
    pub full_disks: u64,
    /// Tasks that were asked back for others to take.
    pub steals: u64,
    /// Results that came with an answer.
    pub values: u64,
    /// Clients that stayed away too long.
    pub forgotten: u64,
    /// Copies of chunks that were asked for.
    pub copies: u64,
    /// Requests that a peer was too busy for.
    pub busy: u64,
    /// Times that a worker was told of others that have what its peers were too busy for.
    pub other_holders: u64,
    /// Keys that ended well by themselves, those counted again that were lost and made once more.
    pub done_keys: u64,
    /// Keys that failed by themselves.
    pub failed_keys: u64,
    /// Keys of runs that were forgotten by themselves.
    pub forgotten_keys: u64,
    /// Waits of operators inside.
    pub waits: u64,
    /// Layers that clients only named, because they hold runs that have them.
    pub named_layers: u64,
    /// Questions about locks, leases, events, variables, queues and topics that were answered.
    pub agreed: u64,
    /// Those that were given up before the answer came.
    pub given_up_calls: u64,
    /// Locks and leases that were free again because their holder was gone.
    pub freed: u64,
    /// Leases that had gone to another when their holder refreshed them.
    pub oversubscribed: u64,
    /// Values that were put back into queues.
    pub put_back: u64,
    /// Messages that subscribers heard.
    pub messages: u64,
    /// Calls of actors that changed their state.
    pub calls: u64,
    /// Virtual microseconds.
    pub virtual_micros: u64,
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.named_layers += other.named_layers;
        self.executions += other.executions;
        self.deaths += other.deaths;
        self.spills += other.spills;
        self.given_up += other.given_up;
        self.retired += other.retired;
        self.stayed += other.stayed;
        self.breaks += other.breaks;
        self.half_open += other.half_open;
        self.stops += other.stops;
        self.reborn += other.reborn;
        self.restarts += other.restarts;
        self.pauses += other.pauses;
        self.full_disks += other.full_disks;
        self.steals += other.steals;
        self.values += other.values;
        self.forgotten += other.forgotten;
        self.copies += other.copies;
        self.busy += other.busy;
        self.other_holders += other.other_holders;
        self.done_keys += other.done_keys;
        self.failed_keys += other.failed_keys;
        self.forgotten_keys += other.forgotten_keys;
        self.waits += other.waits;
        self.agreed += other.agreed;
        self.given_up_calls += other.given_up_calls;
        self.freed += other.freed;
        self.oversubscribed += other.oversubscribed;
        self.put_back += other.put_back;
        self.messages += other.messages;
        self.calls += other.calls;
        self.virtual_micros += other.virtual_micros;
    }
}

/// Why a seed failed, and how to see it again.
pub struct SimFailure {
    /// The seed.
    pub seed: u64,
    /// What went wrong.
    pub what: String,
    /// The last events before it.
    pub story: Vec<String>,
}

impl fmt::Display for SimFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {} failed: {}", self.seed, self.what)?;
        write!(f, "see it again: PARTITA_SIM_SEED={} cargo test -p partita-sim --test sim", self.seed)
    }
}

impl fmt::Debug for SimFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Runs the story of a seed. The same seed is the same story.
pub fn run_seed(seed: u64) -> Result<Report, SimFailure> {
    let (result, _) = guarded(seed, false);
    result.map_err(|_| {
        // Once more, listening.
        let (result, story) = guarded(seed, true);
        let what = result.err().unwrap_or_else(|| "it failed only the first time: something is not derived from the seed".into());
        SimFailure { seed, what, story }
    })
}

fn guarded(seed: u64, listen: bool) -> (Result<Report, String>, Vec<String>) {
    let mut story = Story::new(seed, listen);
    let result = catch_unwind(AssertUnwindSafe(|| story.tell()));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_else(|| "a panic".into()))
    });
    let trace = story.cluster.trace.take().unwrap_or_default();
    let from = trace.len().saturating_sub(TOLD);
    (result, trace[from..].to_vec())
}

struct Story {
    random: RandomGraph,
    cluster: Cluster,
    graphs: Vec<(ClientId, Arc<Graph>)>,
    /// Whether no chunk may be larger than its share of memory allows.
    bounded: bool,
}

impl Story {
    fn new(seed: u64, listen: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let faults = Faults::random(&mut rng);
        let random = random_graph(&mut rng);
        let threads = rng.u32(1..=4);
        // Below the target fits the largest task; above it every other thread may make a chunk of unforeseen size.
        let least = (random.largest_task as f64 / 0.6) + random.largest_chunk as f64 * f64::from(threads) / 0.4;
        let limit = (least * faults.memory) as u64;
        let mut cluster = Cluster::new(rng.fork(), faults.clone(), threads, limit, Registry::default());
        let Faults { saturation, allowed_failures, grace: client_grace, probe_from, .. } = faults;
        let config = scheduler::Config { saturation, allowed_failures, client_grace, no_workers_timeout: None, probe_from };
        cluster = cluster.scheduled_by(config);
        if listen {
            cluster.trace = Some(vec![format!("{faults:?} threads {threads} limit {limit}")]);
        }
        cluster.wishful = random.graph.layers.iter().any(|layer| layer.annotations.is_some());
        cluster.fates = random.fates.clone();
        cluster.inside.waits = random.waits.clone();
        cluster.lossless = faults.lossless() && random.fates.is_empty();
        let bounded = faults.memory >= 1.0 && faults.spill_fails == 0.0 && faults.disk.is_none() && faults.max_spill == 0;
        // What waits inside keeps its inputs in memory, and what it may wait for runs all the same.
        let bounded = bounded && random.waits.is_empty();
        let mut story = Self { random, cluster, graphs: Vec::new(), bounded };
        for number in 0..rng.u32(0..5) {
            let delay = if number == 0 { 0 } else { rng.u64(0..3_000) };
            story.cluster.after(delay, Happening::Join { name: None, repeat: number == 0 });
        }
        story.people(&mut rng);
        story.agrees(&mut rng);
        story.acts(&mut rng);
        story.cluster.begin_troubles();
        story.cluster.after(rng.u64(1_000..FAULTY_MICROS), Happening::FaultsStop);
        story
    }

    /// Who submits what and when, and who loses interest in it, and gains it again.
    fn people(&mut self, rng: &mut Rng) {
        let clients = rng.u64(1..4);
        let mut graphs = vec![Arc::new(self.random.graph.clone())];
        for _ in 0..rng.u32(0..3) {
            let wanted = random_wanted(rng, &self.random.graph);
            graphs.push(Arc::new(Graph::new(self.random.graph.layers.clone(), wanted)));
        }
        for graph in graphs {
            let client = ClientId(rng.u64(0..clients));
            let ending = if rng.bool() { Ending::Each } else { Ending::Together };
            let mut at = rng.u64(0..20_000);
            let mut run = self.submit(at, client, &graph, ending);
            if ending == Ending::Each {
                self.lose_interest_in_keys(rng, at, run, &graph);
            }
            if rng.f64() > 0.3 {
                continue;
            }
            at += rng.u64(1..30_000);
            self.cluster.after(at, Happening::Leave(run, rng.bool()));
            // Who has just lost interest may gain it again, and lose it again, while old messages are on their way.
            for _ in 0..rng.u32(0..4) {
                at += rng.u64(1..500);
                run = self.submit(at, client, &graph, ending);
                at += rng.u64(1..8_000);
                if rng.bool() {
                    break;
                }
                self.cluster.after(at, Happening::Leave(run, rng.bool()));
            }
        }
    }

    /// Who asks for locks, leases and all the rest beside its work: clients, and in some stories threads of workers.
    fn agrees(&mut self, rng: &mut Rng) {
        if rng.bool() {
            return;
        }
        let clients: BTreeSet<ClientId> = self.graphs.iter().map(|(client, _)| *client).collect();
        for client in clients {
            self.cluster.agrees(HolderId(client.0), rng.u32(1..4));
        }
        self.cluster.agreed.lively = rng.bool();
    }

    /// Who makes actors and calls them.
    fn acts(&mut self, rng: &mut Rng) {
        if rng.f64() < 0.75 {
            return;
        }
        // A state stays in memory, whatever is short of it.
        self.bounded = false;
        for _ in 0..rng.u32(1..=2) {
            let (client, _) = self.graphs[rng.usize(0..self.graphs.len())];
            self.cluster.acts(client, rng.u32(1..12), rng.u64(0..20_000));
        }
    }

    /// Some keys, or all of them, are forgotten at some moments.
    fn lose_interest_in_keys(&mut self, rng: &mut Rng, at: u64, run: RunId, graph: &Graph) {
        if rng.bool() {
            return;
        }
        for _ in 0..rng.u32(1..4) {
            let share = rng.f64() * 1.2;
            let keys: Vec<Key> = graph.wanted.iter().copied().filter(|_| rng.f64() < share).collect();
            self.cluster.after(at + rng.u64(1..40_000), Happening::Forget(run, keys));
        }
    }

    fn submit(&mut self, at: u64, client: ClientId, graph: &Arc<Graph>, ending: Ending) -> RunId {
        self.graphs.push((client, graph.clone()));
        let run = RunId(self.graphs.len() as u64);
        self.cluster.after(at, Happening::Submit(run, client, graph.clone(), ending));
        run
    }

    fn tell(&mut self) -> Result<Report, String> {
        self.run_to_the_end()?;
        self.compare()?;
        self.cluster.compare_actors()?;
        release_all(&mut self.cluster)?;
        self.cluster.agree_ends()?;
        nothing_left(&self.cluster)?;
        Ok(Report { virtual_micros: self.cluster.now, ..self.cluster.counts.clone() })
    }

    fn run_to_the_end(&mut self) -> Result<(), String> {
        let deadline = FAULTY_MICROS + PATIENCE_MICROS;
        loop {
            let all_began = self.cluster.runs.range(..FIRST_INSIDE).count() == self.graphs.len();
            let quiet = self.cluster.quiet;
            let ended = self.cluster.runs.values().all(|state| state.left || state.outcome.is_some());
            if all_began && ended && quiet && self.cluster.agreed.is_done() && self.cluster.all_called() {
                return Ok(());
            }
            let late = self.cluster.now > deadline || self.cluster.counts.events > MOST_EVENTS;
            if late || !self.cluster.step()? {
                return Err(stuck(&self.cluster));
            }
            memory_is_kept(&self.cluster, self.bounded)?;
        }
    }

    fn compare(&self) -> Result<(), String> {
        for (run, state) in self.cluster.runs.range(..FIRST_ACTOR) {
            match (state.ending, &state.outcome) {
                (Ending::Together, None) => {}
                (Ending::Together, Some(outcome)) => self.compare_run(state, run.0, outcome)?,
                (Ending::Each, outcome) => {
                    let whole = outcome.as_ref().and_then(|outcome| outcome.as_ref().err());
                    if let Some(failure) = whole.filter(|failure| failure.code != Code::Cancelled || !state.restarted) {
                        return Err(format!("run {} failed as a whole: {failure}", run.0));
                    }
                    self.compare_keys(state, run.0)?;
                }
            }
        }
        Ok(())
    }

    fn compare_run(&self, state: &RunState, number: u64, outcome: &Result<Vec<Chunk>, Failure>) -> Result<(), String> {
        let needed = needed(&state.graph);
        let found = match outcome {
            Err(failure) => return self.may_fail(state, number, failure, &needed),
            Ok(found) => found,
        };
        if let Some(key) = self.random.hopeless().into_iter().find(|key| needed.contains(key)) {
            return Err(format!("run {number} is done but {key} cannot be made"));
        }
        let sound = Graph::new(self.random.sound.layers.clone(), state.graph.wanted.clone());
        let (expected, _) = Serial::default().run(&sound);
        same(number, &state.graph, found, &expected.map_err(|failure| failure.to_string())?)
    }

    /// Each key that the client has an end of ended as it does for the oracle, or failed for a reason that the oracle does not know.
    fn compare_keys(&self, state: &RunState, number: u64) -> Result<(), String> {
        let settled = Graph::new(self.random.settled.layers.clone(), state.graph.wanted.clone());
        let hopeless = self.random.hopeless();
        for (key, expected) in settled.wanted.iter().zip(Serial::default().run_each(&settled)) {
            let Some(found) = state.ends.get(key) else { continue };
            // What is needed is looked for only where something can be wrong.
            let needed = match found {
                Ok(_) if hopeless.is_empty() => BTreeSet::new(),
                _ => needed(&Graph::new(state.graph.layers.clone(), vec![*key])),
            };
            match (found, expected) {
                (Ok(_), _) if !hopeless.is_disjoint(&needed) => return Err(format!("run {number}: {key} is done but cannot be made")),
                (Ok(_), Err(failure)) => return Err(format!("run {number}: {key} is done, but for the oracle it fails: {failure}")),
                (Ok(found), Ok(expected)) if digest(found) != digest(&expected) => {
                    return Err(format!("run {number}: result {key:?} is not the oracle's"));
                }
                (Ok(_), Ok(_)) => {}
                (Err(failure), expected) => {
                    self.may_fail(state, number, failure, &needed)?;
                    // Of several tasks that fail any may be the first here.
                    let only = self.random.failing.intersection(&needed).count() == 1;
                    let same = expected.is_err_and(|expected| (expected.code, &expected.what) == (failure.code, &failure.what));
                    if failure.code == Code::UserFunction && only && !same {
                        return Err(format!("run {number}: {key} fails in another way than for the oracle: {failure}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// A run may fail because its operator does, because workers died under a task, because a task took too long, because
    /// all was cancelled, or because no worker can have the memory for it.
    fn may_fail(&self, run: &RunState, number: u64, failure: &Failure, needed: &BTreeSet<Key>) -> Result<(), String> {
        let named = |key: &&Key| failure.what.contains(&key.to_string());
        let limited = |layer: &Arc<Layer>| layer.annotations.as_ref().is_some_and(|wishes| wishes.timeout.is_some());
        let limit = self.cluster.memory_limit;
        let fair = match failure.code {
            Code::KilledWorker => {
                self.cluster.counts.deaths > u64::from(self.cluster.faults.allowed_failures) && needed.iter().any(|key| named(&key))
            }
            Code::UserFunction => self.random.failing.intersection(needed).any(|key| named(&key)),
            Code::TaskTimeout => run.graph.layers.iter().any(limited),
            Code::Cancelled => run.restarted,
            Code::MemoryTooSmall => limit > 0 && self.cluster.faults.limit_told && self.random.largest_task > limit,
            _ => false,
        };
        if fair { Ok(()) } else { Err(format!("run {number} failed: {failure}")) }
    }
}
