//! One seed, one story: a random graph, a random cluster, random faults, one or two runs; then the faults stop, every run must
//! end with the result of the oracle, and after everything is released nothing may be left.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fastrand::Rng;
use partita_core::protocol::RunId;
use partita_graph::{Chunk, Code, Failure, Graph, Key, Registry, Serial};

use crate::cluster::{Cluster, Counts};
use crate::faults::Faults;
use crate::happening::Happening;
use crate::random_graph::{RandomGraph, digest, needed, random_graph, random_wanted};

/// Virtual time until the faults stop, at most.
const FAULTY_MICROS: u64 = 150_000;
/// Virtual time in which every run must end once the faults have stopped: ten virtual minutes.
const PATIENCE_MICROS: u64 = 600_000_000;
/// No seed needs nearly as many.
const MOST_EVENTS: u64 = 400_000;
/// How many of the last events a failure tells.
const TOLD: usize = 60;

/// What a seed did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Events that happened.
    pub events: u64,
    /// Operators that ran.
    pub executions: u64,
    /// Workers that died.
    pub deaths: u64,
    /// Chunks that were sent to disk.
    pub spills: u64,
    /// Virtual microseconds.
    pub virtual_micros: u64,
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
    graphs: Vec<Arc<Graph>>,
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
        if listen {
            cluster.trace = Some(vec![format!("{faults:?} threads {threads} limit {limit}")]);
        }
        cluster.poison = random.poison.clone();
        cluster.lossless = faults.lossless() && random.poison.is_empty();
        let mut graphs = vec![Arc::new(random.graph.clone())];
        for _ in 0..rng.u32(0..3) {
            graphs.push(Arc::new(Graph { layers: random.graph.layers.clone(), wanted: random_wanted(&mut rng, &random.graph) }));
        }
        for number in 0..rng.u32(0..5) {
            let delay = if number == 0 { 0 } else { rng.u64(0..3_000) };
            cluster.after(delay, Happening::Join { repeat: number == 0 });
        }
        let mut leaving = Vec::new();
        for (number, graph) in graphs.iter().enumerate() {
            let run = RunId(number as u64 + 1);
            let begin = rng.u64(0..20_000);
            cluster.after(begin, Happening::Submit(run, graph.clone()));
            if rng.f64() < 0.3 {
                leaving.push((begin + rng.u64(1..30_000), run, graph.clone()));
            }
        }
        for (mut at, mut run, graph) in leaving {
            cluster.after(at, Happening::Leave(run, rng.bool()));
            // Who has just lost interest may gain it again, and lose it again, while old messages are on their way.
            for _ in 0..rng.u32(0..4) {
                at += rng.u64(1..500);
                run = RunId(graphs.len() as u64 + 1);
                cluster.after(at, Happening::Submit(run, graph.clone()));
                graphs.push(graph.clone());
                at += rng.u64(1..8_000);
                if rng.bool() {
                    break;
                }
                cluster.after(at, Happening::Leave(run, rng.bool()));
            }
        }
        if faults.death_every > 0 {
            cluster.after(rng.u64(0..faults.death_every), Happening::Death);
        }
        cluster.after(rng.u64(1_000..FAULTY_MICROS), Happening::FaultsStop);
        let bounded = faults.memory >= 1.0 && faults.spill_fails == 0.0;
        Self { random, cluster, graphs, bounded }
    }

    fn tell(&mut self) -> Result<Report, String> {
        self.run_to_the_end()?;
        self.compare()?;
        self.release_all()?;
        self.nothing_left()?;
        let Counts { events, executions, deaths, spills, .. } = self.cluster.counts;
        self.count_executions()?;
        Ok(Report { events, executions, deaths, spills, virtual_micros: self.cluster.now })
    }

    fn run_to_the_end(&mut self) -> Result<(), String> {
        let deadline = FAULTY_MICROS + PATIENCE_MICROS;
        loop {
            let all_began = self.cluster.runs.len() == self.graphs.len();
            let quiet = self.cluster.faults == self.cluster.faults.stopped();
            let ended = self.cluster.runs.values().all(|state| state.left || state.outcome.is_some());
            if all_began && ended && quiet {
                return Ok(());
            }
            let late = self.cluster.now > deadline || self.cluster.counts.events > MOST_EVENTS;
            if late || !self.cluster.step()? {
                return Err(self.stuck());
            }
            self.memory_is_kept()?;
        }
    }

    /// True bytes in memory stay below the limit wherever chunks are small enough for that.
    fn memory_is_kept(&self) -> Result<(), String> {
        let limit = self.cluster.memory_limit;
        if !self.bounded {
            return Ok(());
        }
        match self.cluster.nodes.iter().find(|(_, node)| node.bytes() > limit) {
            Some((id, node)) => Err(format!("worker {} has {} bytes in memory, its limit is {limit}", id.0, node.bytes())),
            None => Ok(()),
        }
    }

    /// Which results are missing, and why.
    fn stuck(&self) -> String {
        let mut text = String::from("the faults have stopped but these results do not come:");
        for (run, state) in self.cluster.runs.iter().filter(|(_, state)| !state.left && state.outcome.is_none()) {
            let missing: Vec<&Key> =
                state.graph.wanted.iter().filter(|key| self.cluster.scheduler.holders(**key).is_empty()).take(3).collect();
            for key in &missing {
                text += &format!("\n  run {}: {}", run.0, self.cluster.scheduler.explain(**key));
            }
            if missing.is_empty() {
                text += &format!("\n  run {}: all are stored, but nobody said so or the holders do not have them", run.0);
            }
        }
        text + &format!("\n  {:?}", self.cluster.scheduler.snapshot())
    }

    fn compare(&self) -> Result<(), String> {
        for (run, state) in &self.cluster.runs {
            let Some(outcome) = &state.outcome else { continue };
            let needed = needed(&state.graph);
            match outcome {
                Err(failure) => self.may_fail(run.0, failure, &needed)?,
                Ok(found) => {
                    let bad = self.random.failing.iter().chain(&self.random.poison).find(|key| needed.contains(key));
                    if let Some(key) = bad {
                        return Err(format!("run {} is done but {key} cannot be made", run.0));
                    }
                    let sound = Graph { layers: self.random.sound.layers.clone(), wanted: state.graph.wanted.clone() };
                    let (expected, _) = Serial::default().run(&sound);
                    same(run.0, &state.graph, found, &expected.map_err(|failure| failure.to_string())?)?;
                }
            }
        }
        Ok(())
    }

    /// A run may fail because its operator does, or because workers died under a task.
    fn may_fail(&self, run: u64, failure: &Failure, needed: &BTreeSet<Key>) -> Result<(), String> {
        let named = |key: &&Key| failure.what.contains(&key.to_string());
        let user = self.random.failing.intersection(needed).any(|key| named(&key));
        let deadly = self.cluster.counts.deaths > 3 && needed.iter().any(|key| named(&key));
        match failure.code {
            Code::KilledWorker if deadly => Ok(()),
            Code::UserFunction if user => Ok(()),
            _ => Err(format!("run {run} failed: {failure}")),
        }
    }

    fn release_all(&mut self) -> Result<(), String> {
        let runs: Vec<RunId> = self.cluster.runs.keys().copied().collect();
        for run in runs {
            let cancel = self.cluster.rng.bool();
            self.cluster.leave(run, cancel)?;
        }
        let from = self.cluster.counts.events;
        while self.cluster.step()? {
            if self.cluster.counts.events > from + MOST_EVENTS {
                return Err("everything is released, but events go on and on".into());
            }
        }
        Ok(())
    }

    fn nothing_left(&self) -> Result<(), String> {
        let seen = self.cluster.scheduler.snapshot();
        if !seen.layers.is_empty() || !seen.runs.is_empty() || seen.workers.iter().any(|worker| worker.assigned > 0) {
            return Err(format!("everything is released, but the scheduler has {seen:?}"));
        }
        for (id, node) in &self.cluster.nodes {
            if let Some(left) = node.leftovers() {
                return Err(format!("everything is released, but worker {} has {left}", id.0));
            }
        }
        Ok(())
    }

    /// Without losses nothing is done twice for one run; each loss may cost the whole graph again.
    fn count_executions(&self) -> Result<(), String> {
        let tasks: u64 = self.graphs.iter().map(|graph| graph.tasks()).sum();
        let most = tasks * (1 + self.cluster.counts.losses);
        let done = self.cluster.counts.executions;
        if done > most { Err(format!("{done} executions of {tasks} tasks with {} losses", self.cluster.counts.losses)) } else { Ok(()) }
    }
}

fn same(run: u64, graph: &Graph, found: &[Chunk], expected: &[Chunk]) -> Result<(), String> {
    let different = found.iter().zip(expected).position(|(found, expected)| digest(found) != digest(expected));
    match different {
        Some(at) => Err(format!("run {run}: result {:?} is not the oracle's", graph.wanted[at])),
        None if found.len() != expected.len() => Err(format!("run {run}: {} results instead of {}", found.len(), expected.len())),
        None => Ok(()),
    }
}
