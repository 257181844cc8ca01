//! The door: options, the executor, and what may be seen of it.
//!
//! It refuses to optimize: a graph is run as it is given. Invariant: everything of a graph that could not work here is
//! refused at submit, before a task runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use partita_core::protocol::{ClientId, Ending, SchedulerEvent};
use partita_core::{scheduler, worker};
use partita_graph::{Code, Executor, Failure, Graph, Kernel, Layer, Milli, Registry, Run, RunEach};

use crate::each::{LocalEach, SharedEach, forget_event};
use crate::engine::{Engine, Event, Who};
use crate::pool::Pool;
use crate::run::{Audience, LocalRun, Shared};
use crate::signal::OnCancel;
use crate::spill::SpillFolder;
use crate::store::Usage;
use crate::{ticker, waiting};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Tasks at a time; 0, the default, for as many as the pool has threads.
    pub threads: usize,
    /// Bytes that chunks and running tasks may take; what does not fit is spilled. 0, the default, for no limit.
    pub memory_limit: u64,
    /// Where to make the folder for spilled chunks. Default: the system's folder for temporary files.
    pub local_directory: Option<PathBuf>,
    /// Let the machines check all their facts after each event. For tests: it costs time in proportion to the graph.
    pub check: bool,
    /// Called after chunks were spilled: asks the allocator to give memory back to the system.
    pub release_memory: Option<fn()>,
    /// Tasks that may wait inside for others at a time, each of which keeps a thread. 0, the default, for [`MOST_WAITING`].
    ///
    /// [`MOST_WAITING`]: crate::MOST_WAITING
    pub most_waiting: usize,
    /// What there is for tasks that ask for it, in thousandths. Default: nothing, so that such tasks find no worker.
    pub resources: BTreeMap<String, Milli>,
}

/// Runs graphs in the threads of a pool of this process. A handle: clones are the same executor.
#[derive(Clone)]
pub struct Local {
    engine: Arc<Engine>,
}

/// Both machines at one moment, and the bytes of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What the scheduler knows.
    pub scheduler: scheduler::Snapshot,
    /// What the worker knows.
    pub worker: worker::Snapshot,
    /// What is in memory and on disk.
    pub usage: Usage,
}

impl Local {
    /// An executor over this pool. Fails with [`Code::InvalidOption`] when the local directory is something else than a
    /// directory; one that does not exist is made when the first chunk is spilled.
    pub fn new(options: Options, pool: Arc<dyn Pool>, registry: Registry) -> Result<Self, Failure> {
        let folder = spill_folder(&options)?;
        Ok(Self { engine: Engine::whole(options, pool, Arc::new(registry), folder) })
    }

    /// Both machines at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let (scheduler, worker) = self.engine.inspect(|core| (core.scheduler().snapshot(), core.worker.snapshot()));
        Snapshot { scheduler, worker, usage: self.usage() }
    }

    /// Bytes in memory and on disk, now and at most.
    pub fn usage(&self) -> Usage {
        self.engine.store.usage()
    }

    /// All bytes that were ever written to disk because memory was full.
    pub fn spilled_bytes_total(&self) -> u64 {
        self.usage().spilled_total
    }

    /// Cancels all runs that have not ended.
    pub fn cancel_all(&self) {
        self.engine.cancel_all();
    }

    /// Lets go of the keys that failed with this, of runs whose keys end one by one, so that they are tried again when they are submitted
    /// next. The handles keep the failure.
    pub fn forget_failure(&self, failure: &Failure) {
        for audience in self.engine.live_runs() {
            if let Audience::Each(shared) = audience
                && let Some(event) = forget_event(shared.id, shared.ends.failed_with(failure))
            {
                self.engine.post(Event::Scheduler(event), Who::Other);
            }
        }
    }
}

/// The folder that the options ask for.
pub(crate) fn spill_folder(options: &Options) -> Result<Arc<SpillFolder>, Failure> {
    let parent = options.local_directory.clone().unwrap_or_else(std::env::temp_dir);
    if parent.exists() && !parent.is_dir() {
        let text = format!("`local_directory`: {} is not a directory", parent.display());
        return Err(Failure::new(Code::InvalidOption, text));
    }
    Ok(Arc::new(SpillFolder::new(parent)))
}

/// The graph with all operators at hand, decoded once instead of once a task.
fn resolved(mut graph: Graph, registry: &Registry) -> Result<Graph, Failure> {
    for layer in &mut graph.layers {
        if layer.kernel.steps.iter().all(|step| step.op.operator.is_some()) {
            continue;
        }
        let mut steps = layer.kernel.steps.clone();
        for step in &mut steps {
            let operator = registry.resolve(&step.op).map_err(|failure| failure.origin(layer.origin.as_ref()))?;
            step.op.operator = Some(operator);
        }
        *layer = Arc::new(Layer { kernel: Arc::new(Kernel { steps }), ..(**layer).clone() });
    }
    Ok(graph)
}

/// The run begins, and this audience hears of it. What a task submits is more urgent than the task, and is cancelled with it as long as
/// what is returned lives.
fn start(engine: &Arc<Engine>, mut graph: Graph, audience: &Audience) -> Option<OnCancel> {
    let (run, ending) = match audience {
        Audience::Whole(shared) => (shared.id, Ending::Together),
        Audience::Each(shared) => (shared.id, Ending::Each),
    };
    let timed = graph.layers.iter().any(|layer| layer.annotations.is_some());
    waiting::hurry_inside(&mut graph);
    engine.runs.lock().unwrap_or_else(PoisonError::into_inner).insert(run, audience.clone());
    let submit = SchedulerEvent::Submit { run, client: ClientId::default(), graph: Arc::new(graph), ending };
    engine.post(Event::Scheduler(submit), Who::Other);
    if timed {
        ticker::start(engine);
    }
    let (engine, audience) = (engine.clone(), audience.clone());
    waiting::current_cancelled().map(|task| task.on_set(move || engine.cancel(&audience)))
}

impl Executor for Local {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        graph.validate()?;
        let (engine, graph) = (self.engine.clone(), resolved(graph, &self.engine.registry)?);
        let shared = Shared::new(engine.new_run());
        let wanted = graph.wanted.clone();
        let _with_task = start(&engine, graph, &Audience::Whole(shared.clone()));
        Ok(Arc::new(LocalRun { engine, shared, wanted, _with_task }))
    }

    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
        graph.validate()?;
        let (engine, graph) = (self.engine.clone(), resolved(graph, &self.engine.registry)?);
        let shared = SharedEach::new(engine.new_run(), graph.wanted.clone());
        let _with_task = start(&engine, graph, &Audience::Each(shared.clone()));
        Ok(Arc::new(LocalEach { engine, shared, _with_task }))
    }

    fn threads(&self) -> usize {
        self.engine.slots.threads()
    }

    fn memory_per_thread(&self) -> Option<u64> {
        let limit = self.engine.options.memory_limit;
        (limit > 0).then(|| limit / self.threads().max(1) as u64)
    }
}
