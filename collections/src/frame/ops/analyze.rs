//! `explain_analyze`: what ran, with the rows, bytes and time that it took.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use partita_graph::{
    Chunk, Edge, Executor, Failure, Graph, Kernel, Key, Layer, LayerId, NamedOperator, OpRef, Operator, Payload, Registry, TaskContext,
};
use serde::{Deserialize, Serialize};

use crate::client::{Client, operator_registry};
use crate::frame::DFrame;
use crate::frame::lower::plan_for;
use crate::frame::replan::Advice;
use crate::frame::value::Partition;

impl DFrame {
    /// Runs the frame and tells, for each layer and each of its steps, in how many tasks it ran, how many rows and bytes came out, and how
    /// long it took, added up over all threads, on a cluster over all workers, and what was spilled. The rows themselves stay where they
    /// are and are let go.
    ///
    /// Everything runs anew, except what was persisted. A reader whose rows go straight into the next step has no rows of its own; its
    /// time is that step's. A task that ran twice, because a worker was lost, counts once.
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
        Client::current()?.explain_analyze(self)
    }

    /// The same on any executor. What was spilled is known to [`Client::explain_analyze`] only.
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn explain_analyze_on(&self, executor: &dyn Executor) -> Result<String, Failure> {
        let mut frame = self.clone();
        loop {
            let graph = plan_for(executor, &frame)?.graph;
            let book = Arc::new(Book::default());
            let start = Instant::now();
            let run = executor.submit(watched(&graph, &book))?;
            let Err(failure) = run.wait_stored() else {
                let took = start.elapsed();
                run.notes().iter().for_each(|note| book.read(note));
                return Ok(told(&graph, &book, took));
            };
            // A guess of a reader that proved wrong changes the plan; every advice changes it in another place.
            match Advice::of(&failure).and_then(|advice| frame.replan(&advice)) {
                Some(other) => frame = other,
                None => return Err(failure),
            }
        }
    }
}

impl Client {
    /// What [`DFrame::explain_analyze`] tells, of a run on this client; what was spilled is, on a cluster, what all workers spilled meanwhile.
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn explain_analyze(&self, frame: &DFrame) -> Result<String, Failure> {
        let before = self.spilled_so_far();
        let told = frame.explain_analyze_on(self)?;
        Ok(match self.spilled_so_far().saturating_sub(before) {
            0 => told,
            spilled => format!("{told}spilled to disk for want of memory: {}\n", ByteSize(spilled)),
        })
    }
}

/// A step of a layer: the numbers of both.
type Place = (u32, u32);

/// What one task measured of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Measure {
    rows: u64,
    bytes: u64,
    nanoseconds: u64,
}

/// All that was measured. A task has one entry a step, however often it ran.
#[derive(Default)]
struct Book(Mutex<BTreeMap<(Place, u32), Measure>>);

/// How a remark begins that is a measurement. No remark for people does.
const MARK: &str = "\u{1}measured";

impl Book {
    fn enter(&self, place: Place, task: u32, measure: Measure) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((place, task), measure);
    }

    /// Enters what came as a remark out of another process; other remarks are none of its business.
    fn read(&self, note: &str) {
        let Some(numbers) = note.strip_prefix(MARK) else { return };
        let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        if let [layer, step, task, rows, bytes, nanoseconds] = numbers[..] {
            self.enter((layer as u32, step as u32), task as u32, Measure { rows, bytes, nanoseconds });
        }
    }

    /// In how many tasks a step was measured, and the sum of it.
    fn of(&self, place: Place) -> (u64, Measure) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.range((place, 0)..=(place, u32::MAX)).fold((0, Measure::default()), |(tasks, all), (_, one)| {
            let sum = |of: fn(&Measure) -> u64| of(&all).saturating_add(of(one));
            (tasks + 1, Measure { rows: sum(|m| m.rows), bytes: sum(|m| m.bytes), nanoseconds: sum(|m| m.nanoseconds) })
        })
    }
}

fn note(place: Place, task: u32, Measure { rows, bytes, nanoseconds }: Measure) -> String {
    format!("{MARK} {} {} {task} {rows} {bytes} {nanoseconds}", place.0, place.1)
}

/// Runs an operator and looks at the clock and at what came out.
fn measured(operator: &dyn Operator, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<(Chunk, Measure), Failure> {
    let start = Instant::now();
    let chunk = operator.run(ctx, inputs)?;
    let nanoseconds = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let measure = Measure { rows: rows_of(&chunk), bytes: chunk.nbytes(), nanoseconds };
    Ok((chunk, measure))
}

/// An operator that is watched in this process.
struct Here {
    operator: Arc<dyn Operator>,
    place: Place,
    book: Arc<Book>,
}

impl Operator for Here {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (chunk, measure) = measured(&*self.operator, ctx, inputs)?;
        self.book.enter(self.place, ctx.key.index, measure);
        Ok(chunk)
    }
}

/// An operator that is watched wherever it runs. What was measured travels home as a remark of the task.
#[derive(Serialize, Deserialize)]
pub(crate) struct Watched {
    operator: Payload,
    place: Place,
    #[serde(skip)]
    decoded: OnceLock<Arc<dyn Operator>>,
}

impl Watched {
    fn operator(&self) -> Result<&Arc<dyn Operator>, Failure> {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        if let Some(decoded) = self.decoded.get() {
            return Ok(decoded);
        }
        let decoded = REGISTRY.get_or_init(operator_registry).decode_operator(&self.operator)?;
        Ok(self.decoded.get_or_init(|| decoded))
    }
}

impl Operator for Watched {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (chunk, measure) = measured(&**self.operator()?, ctx, inputs)?;
        let note = note(self.place, ctx.key.index, measure);
        ctx.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        Ok(chunk)
    }
}

impl NamedOperator for Watched {
    const NAME: &'static str = "watched";
}

fn rows_of(chunk: &Chunk) -> u64 {
    match (chunk.get::<Partition>(), chunk.0.parts()) {
        (Some(partition), _) => partition.0.height() as u64,
        (None, Some(parts)) => parts.iter().map(rows_of).sum(),
        (None, None) => 0,
    }
}

/// The same work, watched. Its layers have ids of their own: nothing that others have made already stands for it, and nobody else is
/// told what was measured. Layers of earlier runs are left alone.
fn watched(graph: &Graph, book: &Arc<Book>) -> Graph {
    let mut ids: BTreeMap<LayerId, LayerId> = BTreeMap::new();
    let layers = (0u32..).zip(&graph.layers).map(|(at, layer)| {
        let other = if layer.fixed { layer.clone() } else { Arc::new(watched_layer(at, layer, &ids, book)) };
        ids.insert(layer.id, other.id);
        other
    });
    let layers = layers.collect();
    let wanted = graph.wanted.iter().map(|key| Key::new(ids[&key.layer], key.index)).collect();
    Graph::new(layers, wanted)
}

fn watched_layer(at: u32, layer: &Layer, ids: &BTreeMap<LayerId, LayerId>, book: &Arc<Book>) -> Layer {
    let mut kernel = Kernel { steps: layer.kernel.steps.clone() };
    for (number, step) in (0u32..).zip(&mut kernel.steps) {
        let place = (at, number);
        if step.op.portable {
            let there = Watched { operator: step.op.payload.clone(), place, decoded: OnceLock::new() };
            step.op.payload = OpRef::new(there, "").payload;
        }
        if let Some(operator) = step.op.operator.take() {
            step.op.operator = Some(Arc::new(Here { operator, place, book: book.clone() }));
        }
    }
    let edge = |edge: &Edge| Edge { layer: ids[&edge.layer], wiring: edge.wiring.clone() };
    let edges = layer.edges.iter().map(edge).collect();
    let new = Layer::new(layer.name.clone(), layer.len, kernel, layer.args.clone(), edges);
    Layer { origin: layer.origin.clone(), annotations: layer.annotations.clone(), ..new }
}

fn told(graph: &Graph, book: &Book, all: Duration) -> String {
    let mut text = String::new();
    let line = |text: std::fmt::Arguments<'_>, into: &mut String| writeln!(into, "{text}").expect("text takes everything");
    for (at, layer) in (0u32..).zip(&graph.layers) {
        line(format_args!("{}", layer.name), &mut text);
        for (number, step) in (0u32..).zip(&layer.kernel.steps) {
            let label = step.op.label.lines().next().unwrap_or_default();
            let (tasks, Measure { rows, bytes, nanoseconds }) = book.of((at, number));
            if tasks == 0 {
                line(format_args!("   {label}: of an earlier run"), &mut text);
                continue;
            }
            let unit = if tasks == 1 { "task" } else { "tasks" };
            let (bytes, seconds) = (ByteSize(bytes), Duration::from_nanos(nanoseconds).as_secs_f64());
            line(format_args!("   {label}: {tasks} {unit}, {rows} rows, {bytes}, {seconds:.3} s"), &mut text);
        }
    }
    line(format_args!("in all {:.3} s", all.as_secs_f64()), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_travels_as_a_remark_and_counts_once() {
        let book = Book::default();
        let measure = Measure { rows: 3, bytes: 24, nanoseconds: 1_000 };
        for task in [0, 7, 7] {
            book.read(&note((2, 1), task, measure));
        }
        book.read("widened column x");
        assert_eq!(book.of((2, 1)), (2, Measure { rows: 6, bytes: 48, nanoseconds: 2_000 }));
        assert_eq!(book.of((2, 0)).0 + book.of((1, 1)).0, 0);
    }
}
