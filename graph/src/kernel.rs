//! What all tasks of a layer do: a straight-line program of operators. Fusion is concatenation and renumbering.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use crate::{Arg, Chunk, Failure, Key, Layer, OpRef, Operator, Registry, TaskContext, TaskPlace, TaskProgress};

/// Where a step finds chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// All chunks that arrive through this edge of the layer.
    Edge(u16),
    /// The result of an earlier step.
    Step(u16),
}

/// One operator and its sources.
#[derive(Clone, Debug)]
pub struct Step {
    /// The operator.
    pub op: OpRef,
    /// Its inputs, in order; an edge may bring several chunks.
    pub inputs: Vec<Source>,
    /// The column of the layer's `args` that belongs to this step.
    pub arg: Option<u16>,
}

/// A straight-line program; its result is that of the last step.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// In the order in which they run.
    pub steps: Vec<Step>,
}

impl Kernel {
    /// One operator that reads the edges `0..edges`.
    pub fn single(op: OpRef, edges: u16) -> Self {
        Self { steps: vec![Step { op, inputs: (0..edges).map(Source::Edge).collect(), arg: None }] }
    }

    /// The same, with the first column of arguments.
    pub fn with_arg(op: OpRef, edges: u16) -> Self {
        let mut kernel = Self::single(op, edges);
        kernel.steps[0].arg = Some(0);
        kernel
    }

    /// What is wrong with the program, if anything: it has steps, and they read edges, earlier steps and columns of
    /// arguments that exist.
    pub(crate) fn fault(&self, edges: usize, columns: usize) -> Option<String> {
        if self.steps.is_empty() {
            return Some("it has no steps".into());
        }
        self.steps.iter().enumerate().find_map(|(at, step)| {
            let missing = step.inputs.iter().find(|source| match source {
                Source::Edge(edge) => usize::from(*edge) >= edges,
                Source::Step(step) => usize::from(*step) >= at,
            });
            match (missing, step.arg) {
                (Some(source), _) => Some(format!("step {at} reads {source:?}, which does not come before it")),
                (None, Some(column)) if usize::from(column) >= columns => Some(format!("step {at} has no column {column} of arguments")),
                _ => None,
            }
        })
    }

    /// False when some step is a closure.
    pub fn portable(&self) -> bool {
        self.steps.iter().all(|step| step.op.portable)
    }
}

/// What running a task gave: the chunk or the failure, and the remarks.
pub struct Outcome {
    /// The chunk, or why there is none.
    pub result: Result<Chunk, Failure>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Runs task `key` of `layer` in the calling thread. `inputs[e]` are the chunks of edge `e`.
///
/// A panic in an operator is a failure with the panic's message, or, when its payload is a [`Failure`], that failure: by it code that
/// an operator calls can refuse to go on where it has nothing to return. All executors run tasks through this function.
pub fn run_task(layer: &Layer, key: Key, attempt: u32, inputs: &[Vec<Chunk>], cancelled: &AtomicBool, registry: &Registry) -> Outcome {
    run_task_telling(layer, (key, attempt), inputs, cancelled, &TaskProgress::default(), registry)
}

/// The same where somebody may look at how far the task says that it is.
pub fn run_task_telling(
    layer: &Layer,
    (key, attempt): (Key, u32),
    inputs: &[Vec<Chunk>],
    cancelled: &AtomicBool,
    told: &TaskProgress,
    registry: &Registry,
) -> Outcome {
    let notes = Mutex::new(Vec::new());
    // The step that runs: when it fails or panics, its operator is named.
    let step = Cell::new(0);
    let task = (key, attempt, cancelled, told);
    let guarded = catch_unwind(AssertUnwindSafe(|| run_steps(layer, task, inputs, &step, &notes, registry)));
    let result = guarded.unwrap_or_else(|panic| Err(Failure::of_panic(&*panic)));
    // A panic while the remarks were locked poisons the lock, but not the remarks.
    let notes = notes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let operator = || layer.kernel.steps.get(step.get()).map(|step| step.op.payload.name.to_string()).unwrap_or_default();
    let place = || TaskPlace { operator: operator(), ..TaskPlace::of(layer, key, attempt) };
    let result = result.map_err(|failure| failure.task(place()).origin(layer.origin.as_ref()));
    Outcome { result, notes }
}

fn run_steps(
    layer: &Layer,
    (key, attempt, cancelled, told): (Key, u32, &AtomicBool, &TaskProgress),
    inputs: &[Vec<Chunk>],
    running: &Cell<usize>,
    notes: &Mutex<Vec<String>>,
    registry: &Registry,
) -> Result<Chunk, Failure> {
    let steps = &layer.kernel.steps;
    let mut results: Vec<Option<Chunk>> = Vec::with_capacity(steps.len());
    // The last step that reads each result: after it the result is let go, so that a chain holds two chunks at most.
    let mut last_use = vec![usize::MAX; steps.len()];
    for (at, step) in steps.iter().enumerate() {
        for source in &step.inputs {
            if let Source::Step(s) = source {
                last_use[*s as usize] = at;
            }
        }
    }
    let mut gathered = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        running.set(at);
        gathered.clear();
        for source in &step.inputs {
            match source {
                Source::Edge(e) => gathered.extend(inputs[*e as usize].iter().cloned()),
                Source::Step(s) => gathered.extend(results[*s as usize].clone()),
            }
        }
        // Only now: a step may read one result several times.
        for source in &step.inputs {
            if let Source::Step(s) = source
                && last_use[*s as usize] == at
            {
                results[*s as usize] = None;
            }
        }
        let arg: Option<&Arg> = step.arg.map(|column| layer.arg(column, key.index));
        let ctx = TaskContext { key, attempt, arg, cancelled, notes, told };
        ctx.check_cancelled()?;
        let decoded;
        let operator: &dyn Operator = match &step.op.operator {
            Some(operator) => &**operator,
            None => {
                decoded = registry.decode_operator(&step.op.payload)?;
                &*decoded
            }
        };
        let result = operator.run(&ctx, &gathered).map_err(|failure| failure.origin(step.op.origin.as_deref()))?;
        // A result that no step reads is let go at once, unless it is the kernel's own.
        let read = last_use[at] != usize::MAX || at + 1 == steps.len();
        results.push(read.then_some(result));
    }
    results.pop().flatten().ok_or_else(|| Failure::internal("a kernel without steps"))
}
