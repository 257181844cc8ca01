//! `explain_analyze`: what ran, with the rows, bytes and time that it took.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use partita_graph::{Chunk, Executor, Failure, Graph, Kernel, Layer, Operator, TaskContext};

use crate::client::Client;
use crate::frame::DFrame;
use crate::frame::lower::plan;
use crate::frame::replan::Advice;
use crate::frame::value::Partition;

impl DFrame {
    /// Runs the frame and tells, for each layer and each of its steps, in how many tasks it ran, how many rows and bytes came out, and how
    /// long it took, added up over all threads, and what was spilled. The rows themselves stay where they are and are let go.
    ///
    /// A reader whose rows go straight into the next step has no rows of its own; its time is that step's. Steps that ran in other
    /// processes are listed without measurements: on clusters the dashboard shows them.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3])?, 3);
    /// let told = frame.group_by(["k"]).sum().explain_analyze()?;
    /// assert!(told.contains("finish x.sum() by k: 1 task, 2 rows"), "{told}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    #[doc(alias = "analyze")]
    pub fn explain_analyze(&self) -> Result<String, Failure> {
        let client = Client::current()?;
        let before = client.spilled_here();
        let told = self.explain_analyze_on(&client)?;
        Ok(match client.spilled_here() - before {
            0 => told,
            spilled => format!("{told}spilled to disk for want of memory: {}\n", ByteSize(spilled)),
        })
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn explain_analyze_on(&self, executor: &dyn Executor) -> Result<String, Failure> {
        let mut frame = self.clone();
        loop {
            let graph = plan(&frame)?.graph;
            let (measured, measures) = measured(&graph);
            let start = Instant::now();
            let outcome = executor.submit(measured)?.wait_stored();
            let Err(failure) = outcome else { return Ok(told(&graph, &measures, start.elapsed())) };
            // A guess of a reader that proved wrong changes the plan; every advice changes it in another place.
            match Advice::of(&failure).and_then(|advice| frame.replan(&advice)) {
                Some(other) => frame = other,
                None => return Err(failure),
            }
        }
    }
}

/// What one step did in all tasks.
#[derive(Default)]
struct Measure {
    tasks: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

/// An operator that is watched.
struct Watched {
    operator: Arc<dyn Operator>,
    measure: Arc<Measure>,
}

impl Operator for Watched {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let start = Instant::now();
        let chunk = self.operator.run(ctx, inputs)?;
        let add = |sum: &AtomicU64, number: u64| sum.fetch_add(number, Ordering::Relaxed);
        add(&self.measure.nanoseconds, u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        add(&self.measure.tasks, 1);
        add(&self.measure.rows, rows_of(&chunk));
        add(&self.measure.bytes, chunk.nbytes());
        Ok(chunk)
    }
}

fn rows_of(chunk: &Chunk) -> u64 {
    match (chunk.get::<Partition>(), chunk.0.parts()) {
        (Some(partition), _) => partition.0.height() as u64,
        (None, Some(parts)) => parts.iter().map(rows_of).sum(),
        (None, None) => 0,
    }
}

/// The same graph, watched: its layers keep their ids, because they do the same. Layers of earlier runs are left alone.
fn measured(graph: &Graph) -> (Graph, Vec<Vec<Arc<Measure>>>) {
    let mut measures = Vec::with_capacity(graph.layers.len());
    let layers = graph.layers.iter().map(|layer| {
        let mut kernel = Kernel { steps: layer.kernel.steps.clone() };
        let mut of_layer = Vec::with_capacity(kernel.steps.len());
        for step in &mut kernel.steps {
            let measure = Arc::new(Measure::default());
            if let Some(operator) = step.op.operator.take() {
                step.op.operator = Some(Arc::new(Watched { operator, measure: measure.clone() }));
            }
            of_layer.push(measure);
        }
        measures.push(of_layer);
        if layer.fixed { layer.clone() } else { Arc::new(Layer { kernel: Arc::new(kernel), ..(**layer).clone() }) }
    });
    let layers = layers.collect();
    (Graph::new(layers, graph.wanted.clone()), measures)
}

fn told(graph: &Graph, measures: &[Vec<Arc<Measure>>], all: Duration) -> String {
    let mut text = String::new();
    let line = |text: std::fmt::Arguments<'_>, into: &mut String| writeln!(into, "{text}").expect("text takes everything");
    for (layer, measures) in graph.layers.iter().zip(measures) {
        line(format_args!("{}", layer.name), &mut text);
        for (step, measure) in layer.kernel.steps.iter().zip(measures) {
            let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
            let label = step.op.label.lines().next().unwrap_or_default();
            match of(&measure.tasks) {
                0 => line(format_args!("   {label}: not measured here"), &mut text),
                tasks => {
                    let unit = if tasks == 1 { "task" } else { "tasks" };
                    let seconds = Duration::from_nanos(of(&measure.nanoseconds)).as_secs_f64();
                    let bytes = ByteSize(of(&measure.bytes));
                    line(format_args!("   {label}: {tasks} {unit}, {} rows, {bytes}, {seconds:.3} s", of(&measure.rows)), &mut text);
                }
            }
        }
    }
    line(format_args!("in all {:.3} s", all.as_secs_f64()), &mut text);
    text
}
