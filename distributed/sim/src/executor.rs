//! A faulty cluster as an [`Executor`]: tests of collections run on it and must get the same bits as from the oracle.
//! A submitted graph runs to its end in virtual time before `submit` returns.

use std::sync::Arc;

use fastrand::Rng;
use partita_core::protocol::{ClientId, Ending, RunId};
use partita_core::scheduler;
use partita_graph::{Chunk, Ended, EndedEach, Executor, Failure, Graph, Key, Progress, Registry, Run, RunEach};

use crate::cluster::{Cluster, RunState};
use crate::faults::Faults;
use crate::happening::Happening;

/// Virtual time until the faults stop.
const FAULTY_MICROS: u64 = 100_000;
/// More events than any graph of a test needs: 2,000 for each task.
const EVENTS_A_TASK: u64 = 2_000;
/// Graphs of at most so many tasks have the machines checked after each event.
const CHECKED_TASKS: u64 = 300;

/// Runs graphs on simulated workers. The seed decides everything.
#[derive(Clone)]
pub struct SimExecutor {
    seed: u64,
    workers: u32,
    threads: u32,
    memory_limit: u64,
    faults: Faults,
    registry: Registry,
}

impl SimExecutor {
    /// One to four workers and random faults, without a memory limit, drawn from the seed.
    pub fn new(seed: u64, registry: Registry) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Nobody cancels, and nobody is lost: the run must end well.
        let faults = Faults { memory: 0.0, restart_every: 0, client_every: 0, inline: 0, ..Faults::random(&mut rng) };
        Self { seed, workers: rng.u32(1..=4), threads: rng.u32(1..=3), memory_limit: 0, faults, registry }
    }

    /// With so many workers of so many threads at the start.
    pub fn workers(mut self, workers: u32, threads: u32) -> Self {
        (self.workers, self.threads) = (workers, threads.max(1));
        self
    }

    /// With these faults.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// With so many bytes of memory for each worker; 0 for no limit, the default.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    fn cluster(&self, tasks: u64) -> Cluster {
        let rng = Rng::with_seed(self.seed ^ 0x5eed);
        let cluster = Cluster::new(rng, self.faults.clone(), self.threads, self.memory_limit, self.registry.clone());
        // Whoever dies here is not to blame.
        let cluster = cluster.scheduled_by(scheduler::Config { allowed_failures: u32::MAX, ..scheduler::Config::default() });
        if tasks > CHECKED_TASKS { cluster.unchecked() } else { cluster }
    }

    /// The run when it has ended, and how far it came.
    fn run(&self, graph: &Arc<Graph>, ending: Ending) -> Result<(RunState, Progress), String> {
        let run = RunId(1);
        let tasks = graph.tasks();
        let mut cluster = self.cluster(tasks);
        for number in 0..self.workers {
            cluster.after(0, Happening::Join { name: None, repeat: number == 0 });
        }
        cluster.after(1, Happening::Submit(run, ClientId::default(), graph.clone(), ending));
        cluster.begin_troubles();
        cluster.after(FAULTY_MICROS, Happening::FaultsStop);
        while cluster.runs.get(&run).is_none_or(|state| state.outcome.is_none()) {
            if cluster.counts.events > EVENTS_A_TASK * (tasks + 100) || !cluster.step()? {
                let missing = graph.wanted.iter().find(|key| cluster.scheduler.holders(**key).is_empty());
                let why = missing.map(|key| cluster.scheduler.explain(*key).to_string()).unwrap_or_default();
                return Err(format!("the run does not end: {why}"));
            }
        }
        let seen = cluster.scheduler.progress(run);
        let layers = seen.layers.into_iter().map(|layer| (layer.name, layer.done, layer.total)).collect();
        let state = cluster.runs.remove(&run).expect("looked up above");
        Ok((state, Progress { layers, ..Progress::default() }))
    }

    /// The graph as it is run, and how it went; a fault of a machine or of the simulation is one of ours.
    fn try_run(&self, graph: &Graph, ending: Ending) -> Result<(RunState, Progress), Failure> {
        graph.validate()?;
        let graph = Arc::new(partita_graph::optimize::cull(graph));
        self.run(&graph, ending).map_err(|why| Failure::internal(format!("simulated cluster, seed {}: {why}", self.seed)))
    }
}

impl Executor for SimExecutor {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        let (state, progress) = self.try_run(&graph, Ending::Together)?;
        let result = state.outcome.expect("it runs until there is one");
        Ok(Arc::new(Ended::new(result, state.notes, progress)))
    }

    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
        let (mut state, progress) = self.try_run(&graph, Ending::Each)?;
        let whole = state.outcome.take().and_then(Result::err);
        let end = |key: &Key| -> Result<Chunk, Failure> {
            let found = state.ends.get(key).cloned();
            found.unwrap_or_else(|| Err(whole.clone().unwrap_or_else(|| Failure::internal(format!("{key} has no end")))))
        };
        let results = graph.wanted.iter().map(end).collect();
        Ok(Arc::new(EndedEach::new(results, state.notes, progress)))
    }

    fn threads(&self) -> usize {
        (self.workers * self.threads) as usize
    }

    fn memory_per_thread(&self) -> Option<u64> {
        (self.memory_limit > 0).then(|| self.memory_limit / u64::from(self.threads.max(1)))
    }
}
