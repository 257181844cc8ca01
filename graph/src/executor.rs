//! What runs graphs, and the simplest such thing: [`Serial`], the oracle that all others are compared with.
//!
//! It refuses to know threads. Invariant: whatever [`Serial`] gives for a key by itself it gives for it among others too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::each::{EndedEach, RunEach};
use crate::kernel::run_task;
use crate::{Chunk, Code, Failure, Graph, Key, Layer, LayerId, Registry, TaskPlace};

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// For each layer: its name, finished tasks, all tasks.
    pub layers: Vec<(String, u64, u64)>,
    /// Bytes in memory.
    pub memory: u64,
    /// Bytes on disk because memory was full.
    pub spilled: u64,
    /// Tasks running at this moment.
    pub running: u64,
}

/// A run under way or ended. Dropping the last handle releases its results.
pub trait Running: Send + Sync {
    /// Blocks until all wanted chunks are there, and returns them in the order of `Graph::wanted`.
    fn wait(&self) -> Result<Vec<Chunk>, Failure>;
    /// Blocks until all wanted chunks exist, without bringing spilled ones back to memory.
    fn wait_stored(&self) -> Result<(), Failure>;
    /// Calls back once when the run has ended, at once if it has; never blocks.
    fn on_end(&self, callback: Box<dyn FnOnce() + Send>);
    /// One result of an ended run, by its place in `Graph::wanted`.
    fn result(&self, index: usize) -> Result<Chunk, Failure>;
    /// How far it is.
    fn progress(&self) -> Progress;
    /// Stops it: nothing more is started, running operators are told. `wait` then fails with [`Code::Cancelled`].
    fn cancel(&self);
    /// Remarks for the user that came up so far, each once.
    fn notes(&self) -> Vec<String>;
}

/// A handle to a run.
pub type Run = Arc<dyn Running>;

/// Anything that runs graphs.
pub trait Executor: Send + Sync {
    /// Starts a graph whose wanted keys end together: one task that fails fails all.
    fn submit(&self, graph: Graph) -> Result<Run, Failure>;
    /// Starts a graph whose wanted keys end one by one: a task that fails fails the keys that need it, and the others go on.
    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure>;
    /// Cores that tasks run on: lowering chooses partition counts by it.
    fn threads(&self) -> usize;
    /// Bytes of memory that there are for each task that runs, on the worker that has the least; `None` where there is no limit. Lowering chooses by
    /// it how much a task takes in.
    fn memory_per_thread(&self) -> Option<u64> {
        None
    }
}

/// Runs each task that is needed, once, in order, in the calling thread.
#[derive(Default)]
pub struct Serial {
    registry: Registry,
}

impl Serial {
    /// With the operators and values of this registry.
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// The wanted chunks and the notes. The first task that fails ends it.
    pub fn run(&self, graph: &Graph) -> (Result<Vec<Chunk>, Failure>, Vec<String>) {
        let mut notes = Vec::new();
        let made = self.make(graph, &mut notes, true);
        // A task that fails has ended it, so there are only chunks.
        let results = made.and_then(|made| wanted(graph, &made).collect());
        (results, notes)
    }

    /// What becomes of each wanted key by itself, in the order of `Graph::wanted`: its chunk, or the failure of the first of the
    /// tasks that it needs, in the graph's order. Tasks that need a failed one do not run; all others do.
    ///
    /// ```
    /// use partita_graph::{Chunk, Code, Failure, Graph, Layer, OpRef, Plain, Serial};
    ///
    /// let picky = OpRef::closure("picky", 1, |ctx, _| match ctx.key.index {
    ///     1 => Err(Failure::new(Code::UserFunction, "not the second")),
    ///     index => Ok(Chunk::new(Plain(i64::from(index)))),
    /// });
    /// let mut graph = Graph::default();
    /// let layer = graph.add(Layer::single("picky", 3, picky, vec![]));
    /// graph.want_all(layer);
    /// let results = Serial::default().run_each(&graph);
    /// assert!(results[0].is_ok() && results[2].is_ok());
    /// assert_eq!(results[1].as_ref().map(|_| ()).unwrap_err().what, "not the second");
    /// ```
    pub fn run_each(&self, graph: &Graph) -> Vec<Result<Chunk, Failure>> {
        self.each(graph, &mut Vec::new())
    }

    fn each(&self, graph: &Graph, notes: &mut Vec<String>) -> Vec<Result<Chunk, Failure>> {
        match self.make(graph, notes, false) {
            Ok(made) => wanted(graph, &made).collect(),
            Err(failure) => graph.wanted.iter().map(|_| Err(failure.clone())).collect(),
        }
    }

    /// Runs the tasks that are needed; with `whole` the first that fails is the failure of all.
    fn make(&self, graph: &Graph, notes: &mut Vec<String>, whole: bool) -> Result<BTreeMap<Key, Made>, Failure> {
        graph.validate()?;
        if let Some(layer) = graph.layers.iter().find(|layer| layer.known) {
            return Err(Failure::internal(format!("layer `{}` is of an earlier run, and nothing is kept of those here", layer.name)));
        }
        // How often each chunk will still be read. Tasks that are not in it are not run, as no executor runs them.
        let mut uses = graph.needed();
        let lens: BTreeMap<LayerId, u32> = graph.layers.iter().map(|layer| (layer.id, layer.len)).collect();
        let mut made: BTreeMap<Key, Made> = BTreeMap::new();
        let (cancelled, mut number) = (AtomicBool::new(false), 0);
        for layer in &graph.layers {
            for index in 0..layer.len {
                let key = Key::new(layer.id, index);
                if !uses.contains_key(&key) {
                    continue;
                }
                number += 1;
                let inputs = gather(layer, index, number, &lens, &mut made, &mut uses);
                let result = inputs.and_then(|inputs| {
                    let outcome = run_task(layer, key, 1, &inputs, &cancelled, &self.registry);
                    for note in outcome.notes {
                        if !notes.contains(&note) {
                            notes.push(note);
                        }
                    }
                    let reads = || layer.edges.iter().map(|edge| lens[&edge.layer]);
                    let place = || TaskPlace::of(layer, key, 1).reading(layer, index, reads());
                    outcome.result.map_err(|failure| (number, failure.task(place())))
                });
                match result {
                    Err((_, failure)) if whole => return Err(failure),
                    result => drop(made.insert(key, result)),
                }
            }
        }
        Ok(made)
    }
}

/// A chunk; or which task failed, as a number in the order in which tasks run, and why.
type Made = Result<Chunk, (u64, Failure)>;

/// What became of the wanted keys, in order.
fn wanted<'a>(graph: &'a Graph, made: &'a BTreeMap<Key, Made>) -> impl Iterator<Item = Result<Chunk, Failure>> + 'a {
    graph.wanted.iter().map(|key| made[key].clone().map_err(|(_, failure)| failure))
}

/// The chunks of each edge, or the first failure behind them. A chunk that is read for the last time is let go with the task, so
/// that a long graph does not keep all that it ever made.
fn gather(
    layer: &Layer,
    index: u32,
    number: u64,
    lens: &BTreeMap<LayerId, u32>,
    made: &mut BTreeMap<Key, Made>,
    uses: &mut BTreeMap<Key, u64>,
) -> Result<Vec<Vec<Chunk>>, (u64, Failure)> {
    let mut inputs = Vec::with_capacity(layer.edges.len());
    let mut first: Option<(u64, Failure)> = None;
    for edge in &layer.edges {
        let mut chunks = Vec::new();
        for at in edge.wiring.inputs(index, lens[&edge.layer]).iter() {
            let key = Key::new(edge.layer, at);
            let read = match &made[&key] {
                Ok(chunk) => pick(chunk, edge.wiring.part(index)).map_err(|failure| (number, failure)),
                Err(failed) => Err(failed.clone()),
            };
            match read {
                Ok(chunk) => chunks.push(chunk),
                Err(failed) if first.as_ref().is_none_or(|first| failed.0 < first.0) => first = Some(failed),
                Err(_) => {}
            }
            let left = uses.get_mut(&key).expect("it is read, so it was counted");
            *left -= 1;
            if *left == 0 {
                made.remove(&key);
            }
        }
        inputs.push(chunks);
    }
    first.map_or(Ok(inputs), Err)
}

/// A whole chunk, or the part of it that a shuffle's consumer reads.
pub fn pick(chunk: &Chunk, part: Option<u32>) -> Result<Chunk, Failure> {
    match part {
        None => Ok(chunk.clone()),
        Some(at) => chunk.part(at).ok_or_else(|| Failure::internal(format!("a chunk has no part {at}"))),
    }
}

impl Executor for Serial {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        graph.validate()?;
        let (result, notes) = self.run(&graph);
        Ok(Arc::new(Ended::new(result, notes, Progress::default())))
    }

    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
        graph.validate()?;
        let mut notes = Vec::new();
        let results = self.each(&graph, &mut notes);
        Ok(Arc::new(EndedEach::new(results, notes, Progress::default())))
    }

    fn threads(&self) -> usize {
        1
    }
}

/// A run that ended before its handle was given out: for executors that do all the work in `submit`.
pub struct Ended {
    result: Result<Vec<Chunk>, Failure>,
    notes: Vec<String>,
    progress: Progress,
    cancelled: AtomicBool,
}

impl Ended {
    /// A run with this outcome, these remarks, and how far it came.
    pub fn new(result: Result<Vec<Chunk>, Failure>, notes: Vec<String>, progress: Progress) -> Self {
        Self { result, notes, progress, cancelled: AtomicBool::new(false) }
    }
}

impl Running for Ended {
    fn wait(&self) -> Result<Vec<Chunk>, Failure> {
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(Failure::new(Code::Cancelled, "the computation was cancelled")),
            false => self.result.clone(),
        }
    }

    fn wait_stored(&self) -> Result<(), Failure> {
        self.wait().map(drop)
    }

    fn on_end(&self, callback: Box<dyn FnOnce() + Send>) {
        callback();
    }

    fn result(&self, index: usize) -> Result<Chunk, Failure> {
        let chunks = self.wait()?;
        chunks.get(index).cloned().ok_or_else(|| Failure::internal(format!("there is no result {index}")))
    }

    fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
