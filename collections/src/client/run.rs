//! Runs a frame on an executor: plan, submit, wait, and plan again when a task found a guess of the reader wrong.

use std::sync::Arc;
use std::time::Instant;

use partita_graph::{Chunk, Code, Executor, Failure, Graph, Run};
use polars::prelude::DataFrame;

use super::aside::aside;
use super::mailbox::heard;
use super::progress::Watch;
use crate::client::mailbox::{Mailbox, Next};
use crate::frame::DFrame;
use crate::frame::expr::polars_failure;
use crate::frame::lower::{Plan, plan_for};
use crate::frame::measure::{measured, measuring};
use crate::frame::replan::{Advice, Change};
use crate::frame::size::Size;
use crate::frame::value::frame_of;

/// A frame can be planned again for each of its columns on each rung of the ladder; more than this is a fault.
const MOST_PLANS: usize = 1000;

/// What a computation gave.
#[derive(Clone, Debug)]
pub struct Computed {
    /// The rows.
    pub frame: DataFrame,
    /// Remarks for the user, each once: columns that were widened, columns that an aggregate left out.
    pub notes: Vec<String>,
    /// How long it took from planning to the last row, in seconds.
    pub seconds: f64,
    /// Bytes that were written to disk for want of memory while it ran, by all that ran on this client; on a cluster by all workers, for
    /// whomever they worked. Only [`Client::run`] knows it; elsewhere it is 0.
    pub spilled_bytes: u64,
}

/// A run that ended well, the graph that ran, and the frame as it was planned in the end.
struct Ended {
    run: Run,
    graph: Graph,
    frame: DFrame,
    notes: Vec<String>,
    /// By which it was planned again, in order.
    advice: Vec<Advice>,
}

/// One attempt: submitted, not yet waited for.
struct Attempt {
    run: Run,
    graph: Graph,
}

/// The attempts at one frame.
struct Attempts {
    frame: DFrame,
    /// Whether the run also measures its partitions.
    measured: bool,
    notes: Vec<String>,
    plans: usize,
    advice: Vec<Advice>,
}

impl Attempts {
    fn new(frame: &DFrame) -> Self {
        Self { frame: frame.clone(), measured: false, notes: Vec::new(), plans: 0, advice: Vec::new() }
    }

    fn submit(&mut self, executor: &dyn Executor) -> Result<Attempt, Failure> {
        self.submit_planned(executor, plan_for(executor, &self.frame)?)
    }

    fn submit_planned(&mut self, executor: &dyn Executor, plan: Plan) -> Result<Attempt, Failure> {
        self.plans += 1;
        for note in plan.notes {
            self.note(note);
        }
        let run = executor.submit(if self.measured { measuring(&plan.graph) } else { plan.graph.clone() })?;
        Ok(Attempt { run, graph: plan.graph })
    }

    /// The end of an attempt: `None` means that another one is worth it.
    fn end(&mut self, attempt: Attempt, outcome: Result<(), Failure>, told: Vec<String>) -> Option<Result<Ended, Failure>> {
        self.notes.extend(told);
        for note in attempt.run.notes() {
            self.note(note);
        }
        let failure = match outcome {
            Ok(()) => {
                let Attempt { run, graph } = attempt;
                let (notes, advice) = (std::mem::take(&mut self.notes), std::mem::take(&mut self.advice));
                return Some(Ok(Ended { run, graph, frame: self.frame.clone(), notes, advice }));
            }
            Err(failure) => failure,
        };
        let replanned = Advice::of(&failure).filter(|_| self.plans < MOST_PLANS).and_then(|advice| {
            let frame = self.frame.replan(&advice)?;
            Some((frame, advice))
        });
        match replanned {
            None => Some(Err(failure)),
            Some((frame, advice)) => {
                self.frame = frame;
                self.note(match &advice.change {
                    Change::Widen(_) => format!("widened {} (declare the type with .dtype(…) to save the second pass)", failure.what),
                    Change::ExactCuts => format!("{}; the files were cut again, exactly", failure.what),
                });
                self.advice.push(advice);
                None
            }
        }
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            super::progress::tell(&note);
            self.notes.push(note);
        }
    }
}

/// Runs until all partitions are stored.
fn until_stored(executor: &dyn Executor, mut attempts: Attempts) -> Result<Ended, Failure> {
    loop {
        let attempt = attempts.submit(executor)?;
        let watch = Watch::start(&attempt.run);
        let outcome = attempt.run.wait_stored();
        if let Some(end) = attempts.end(attempt, outcome, watch.end()) {
            return end;
        }
    }
}

/// All rows, blocking.
pub(crate) fn compute(executor: &dyn Executor, frame: &DFrame) -> Result<Computed, Failure> {
    let start = Instant::now();
    rows(until_stored(executor, Attempts::new(frame))?, start)
}

/// All rows, blocking, and by which advice the frame was planned again: who runs more of the same frame has to follow it too, or partitions
/// and types would be others from run to run.
pub(crate) fn compute_advised(executor: &dyn Executor, frame: &DFrame) -> Result<(DataFrame, Vec<Advice>), Failure> {
    let mut ended = until_stored(executor, Attempts::new(frame))?;
    let advice = std::mem::take(&mut ended.advice);
    Ok((rows(ended, Instant::now())?.frame, advice))
}

/// All rows, not blocking the thread: neither while the frame is planned, nor while tasks run, nor while rows are brought.
pub(crate) async fn compute_async(executor: &Arc<dyn Executor>, frame: &DFrame) -> Result<Computed, Failure> {
    let start = Instant::now();
    let mut attempts = Attempts::new(frame);
    loop {
        let (planner, planned) = (executor.clone(), attempts.frame.clone());
        let plan = aside(move || plan_for(&*planner, &planned)).await?;
        let attempt = attempts.submit_planned(&**executor, plan)?;
        let watch = Watch::start(&attempt.run);
        let outcome = ended(&attempt.run).await;
        if let Some(end) = attempts.end(attempt, outcome, watch.end()) {
            let ended = end?;
            return aside(move || rows(ended, start)).await;
        }
    }
}

/// Waits for the end of a run without blocking.
async fn ended(run: &Run) -> Result<(), Failure> {
    let (sender, receiver) = futures_channel::oneshot::channel();
    run.on_end(Box::new(move || {
        // Nobody listens any more when the future was dropped.
        let _ = sender.send(());
    }));
    match heard(receiver).await {
        // The run has ended, so this does not block.
        Ok(()) => run.wait_stored(),
        Err(_) => Err(Failure::new(Code::Cancelled, "the engine was shut down before the run ended")),
    }
}

/// Runs a graph that is planned once, until all its chunks are stored.
pub(crate) fn stored(executor: &dyn Executor, graph: Graph) -> Result<Run, Failure> {
    let run = executor.submit(graph)?;
    let watch = Watch::start(&run);
    let outcome = run.wait_stored();
    tell_rest(&run.notes(), &watch.end());
    outcome.map(|()| run)
}

/// Runs a graph that is planned once, and hands each chunk over when it is there, with its place among those that are wanted. Chunks that
/// were handed over are not kept.
pub(crate) fn as_they_end(
    executor: &dyn Executor,
    graph: Graph,
    mut hand_over: impl FnMut(usize, Chunk) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let run = executor.submit_each(graph)?;
    let watch = Watch::start_each(&run);
    let ended = Mailbox::new();
    let told = ended.clone();
    run.on_key_end(Box::new(move |index, _| told.put(index)));
    let outcome = (0..run.keys()).try_for_each(|_| match ended.wait(None)? {
        Next::Came(index) => {
            hand_over(index, run.wait_key(index)?)?;
            run.forget(&[index]);
            Ok(())
        }
        Next::Late | Next::Closed => Err(Failure::new(Code::Cancelled, "the engine was shut down before the run ended")),
    });
    tell_rest(&run.notes(), &watch.end());
    outcome
}

/// The same without blocking while tasks run.
pub(crate) async fn stored_async(executor: &dyn Executor, graph: Graph) -> Result<Run, Failure> {
    let run = executor.submit(graph)?;
    let watch = Watch::start(&run);
    let outcome = ended(&run).await;
    tell_rest(&run.notes(), &watch.end());
    outcome.map(|()| run)
}

/// Tells the remarks of a run that were not told while it ran.
fn tell_rest(notes: &[String], told: &[String]) {
    notes.iter().filter(|note| !told.contains(note)).for_each(|note| super::progress::tell(note));
}

/// Partitions that stay where they are, and how many rows and bytes they have. The run has a result more than the graph wants.
pub(crate) fn persist(executor: &dyn Executor, frame: &DFrame) -> Result<(Run, Graph, DFrame, Option<Size>), Failure> {
    let Ended { run, graph, frame, .. } = until_stored(executor, Attempts { measured: true, ..Attempts::new(frame) })?;
    let size = measured(&run, graph.wanted.len());
    Ok((run, graph, frame, size))
}

fn rows(ended: Ended, start: Instant) -> Result<Computed, Failure> {
    let mut all: Option<DataFrame> = None;
    for index in 0..ended.graph.wanted.len() {
        // One at a time: partitions on disk come back one by one.
        let part = frame_of(&ended.run.result(index)?)?;
        match &mut all {
            None => all = Some(part),
            Some(all) => drop(all.vstack_mut(&part).map_err(|e| polars_failure(e, None))?),
        }
    }
    let frame = match all {
        Some(frame) => frame,
        None => DataFrame::empty_with_schema(ended.frame.resolved()?),
    };
    Ok(Computed { frame, notes: ended.notes, seconds: start.elapsed().as_secs_f64(), spilled_bytes: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::DArray;
    use partita_graph::{Chunk, Progress, RunEach, Running, Serial};
    use polars::df;
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    /// An executor that says what it has, and whose results come, when somebody lets it.
    struct Held {
        serial: Serial,
        gate: Arc<Mutex<mpsc::Receiver<()>>>,
    }

    struct HeldRun {
        run: Run,
        gate: Arc<Mutex<mpsc::Receiver<()>>>,
    }

    fn let_through(gate: &Mutex<mpsc::Receiver<()>>) -> Result<(), Failure> {
        let waited = gate.lock().expect("no panic").recv_timeout(Duration::from_secs(5));
        waited.map_err(|_| Failure::internal("whoever would let it through is blocked"))
    }

    impl Executor for Held {
        fn submit(&self, graph: Graph) -> Result<Run, Failure> {
            Ok(Arc::new(HeldRun { run: self.serial.submit(graph)?, gate: self.gate.clone() }))
        }

        fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
            self.serial.submit_each(graph)
        }

        fn memory_per_thread(&self) -> Option<u64> {
            let_through(&self.gate).expect("it is asked where it may wait");
            None
        }

        fn threads(&self) -> usize {
            1
        }
    }

    impl Running for HeldRun {
        fn wait(&self) -> Result<Vec<Chunk>, Failure> {
            self.run.wait()
        }

        fn wait_stored(&self) -> Result<(), Failure> {
            self.run.wait_stored()
        }

        fn on_end(&self, callback: Box<dyn FnOnce() + Send>) {
            self.run.on_end(callback);
        }

        fn result(&self, index: usize) -> Result<Chunk, Failure> {
            let_through(&self.gate)?;
            self.run.result(index)
        }

        fn progress(&self) -> Progress {
            self.run.progress()
        }

        fn cancel(&self) {
            self.run.cancel();
        }

        fn notes(&self) -> Vec<String> {
            self.run.notes()
        }
    }

    #[test]
    fn plans_are_made_and_results_brought_while_the_thread_that_awaits_them_serves_others() {
        let (lets, gate) = mpsc::channel();
        let held = Held { serial: Serial::new(crate::operators::registry()), gate: Arc::new(Mutex::new(gate)) };
        let held: Arc<dyn Executor> = Arc::new(held);
        let rows = df!("x" => [1i64, 2]).expect("one column");
        let frame = DFrame::from_polars(rows.clone(), 1);
        let part = frame.to_delayed().expect("sound").remove(0);
        let array = DArray::arange(0, 3, 1, 3);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        // Once for the plan, and once for the only result.
        let let_through = || async { (0..2).for_each(|_| lets.send(()).expect("somebody waits")) };
        let (computed, ()) = runtime.block_on(async { tokio::join!(compute_async(&held, &frame), let_through()) });
        assert_eq!(computed.expect("it is let through").frame, rows);
        let delayed = crate::delayed::compute::compute_async(&held, &part);
        let (computed, ()) = runtime.block_on(async { tokio::join!(delayed, let_through()) });
        assert_eq!(computed.expect("it is let through"), rows);
        let (computed, ()) = runtime.block_on(async { tokio::join!(array.awaited(&held), let_through()) });
        assert_eq!(computed.expect("it is let through").sum(), 3);
    }
}
