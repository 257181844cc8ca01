//! A loop that executes tasks in a thread of the pool, or in a thread that waits for a run inside a task.
//!
//! It refuses to know the machines: it takes an assignment, gathers its inputs from the store, runs the kernel, keeps the
//! chunk, and says so. Invariant: each assignment that it takes is answered exactly once, whatever its operators do.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use partita_core::protocol::{Assignment, WorkerEvent};
use partita_graph::{Chunk, Code, Failure, Outcome, run_task};

use crate::engine::{Brought, Engine, Event, Who};

thread_local! {
    /// The loop in which this thread is, innermost.
    static HERE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// A slot of an engine.
#[derive(Clone)]
pub(crate) struct Place {
    engine: Arc<Engine>,
    slot: usize,
}

impl Place {
    /// The loop in which the calling thread is.
    pub fn current() -> Option<Place> {
        HERE.with_borrow(Clone::clone)
    }

    /// An engine like `like` for a graph that the task here submits; it is cancelled with the task.
    pub fn nested(&self, like: &Engine) -> Arc<Engine> {
        let made = like.nested();
        self.engine.adopt(self.slot, &made);
        made
    }

    /// Whether the task that runs here is no longer wanted.
    pub fn cancelled(&self) -> bool {
        self.engine.slots.cancelled(self.slot).load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Restores the outer loop when an inner one ends.
struct Entered(Option<Place>);

impl Entered {
    fn new(place: Place) -> Self {
        Self(HERE.with_borrow_mut(|here| here.replace(place)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        HERE.set(self.0.take());
    }
}

/// What a loop job of the pool does.
pub(crate) fn pool_loop(engine: Arc<Engine>) {
    // A pool that steals work may start this job inside a task that waits for its own nested work. That task must not
    // wait for everything else, so such a loop runs one task and asks for another loop.
    let nested = Place::current().is_some();
    let slot = engine.slots.enter();
    if serve(&engine, slot, false, nested) {
        return;
    }
    for _ in 0..engine.slots.leave(slot, false) {
        engine.start_loop();
    }
}

/// Runs ready tasks in the calling thread, as long as there are some. False: another thread helps already, or none is ready.
pub(crate) fn help(engine: &Arc<Engine>) -> bool {
    match engine.slots.enlist() {
        Some(slot) => serve(engine, slot, true, false),
        None => false,
    }
}

/// True when the slot was given back because nothing is to be executed.
fn serve(engine: &Arc<Engine>, slot: usize, helper: bool, once: bool) -> bool {
    let _entered = Entered::new(Place { engine: engine.clone(), slot });
    while let Some((assignment, loops)) = engine.slots.take(slot, helper, engine.busy()) {
        for _ in 0..loops {
            engine.start_loop();
        }
        let outside = engine.outside.as_ref();
        outside.inspect(|outside| outside.began(slot, &assignment));
        let started = Instant::now();
        let answer = execute(engine, slot, &assignment);
        let nanos = started.elapsed().as_nanos() as u64;
        outside.inspect(|outside| outside.ended(slot));
        engine.slots.done(slot, nanos);
        drop(assignment);
        engine.post(answer.event(nanos), Who::Loop);
        engine.measure(Who::Loop);
        if once {
            return false;
        }
    }
    true
}

/// How a task ended, and its chunk if that enters the store together with the answer.
struct Answer {
    event: WorkerEvent,
    chunk: Option<(Chunk, u32)>,
}

impl From<WorkerEvent> for Answer {
    fn from(event: WorkerEvent) -> Self {
        Self { event, chunk: None }
    }
}

impl Answer {
    fn event(mut self, nanos: u64) -> Event {
        let WorkerEvent::Ran { key, micros, nbytes, .. } = &mut self.event else { return Event::Worker(self.event) };
        *micros = nanos / 1000;
        let (key, nbytes) = (*key, *nbytes);
        match self.chunk {
            Some((chunk, len)) => Event::Brought(Box::new(Brought { key, part: None, len, chunk, nbytes, event: self.event })),
            None => Event::Worker(self.event),
        }
    }
}

fn execute(engine: &Arc<Engine>, slot: usize, assignment: &Assignment) -> Answer {
    let Assignment { key, attempt, layer, .. } = assignment;
    let (key, attempt) = (*key, *attempt);
    let mut inputs = Vec::with_capacity(assignment.inputs.len());
    for edge in &assignment.inputs {
        match engine.store.gather(edge, &engine.registry) {
            Ok(chunks) => inputs.push(chunks),
            Err((input, failure)) => {
                // A file that is gone or damaged is no fault of the task: its chunk is made again, and the task waits for that.
                return match failure.code {
                    Code::SpillFailed => WorkerEvent::InputLost { key, attempt, input }.into(),
                    _ => WorkerEvent::RunFailed { key, attempt, failure }.into(),
                };
            }
        }
    }
    let mut outcome: Option<Outcome> = None;
    let alone = engine.slots.crowded();
    engine.pool.run_task(alone, &mut || {
        outcome = Some(run_task(layer, key, attempt, &inputs, engine.slots.cancelled(slot), &engine.registry));
    });
    drop(inputs);
    let Some(Outcome { result, notes }) = outcome else {
        let failure = Failure::internal("the thread pool did not run a task that it was given");
        return WorkerEvent::RunFailed { key, attempt, failure }.into();
    };
    match result {
        Ok(chunk) => {
            let nbytes = chunk.nbytes();
            let spillable = engine.options.memory_limit > 0 && spillable(engine, &chunk);
            let ran = |value| WorkerEvent::Ran { key, attempt, nbytes, spillable, micros: 0, notes, value };
            let Some(outside) = &engine.outside else {
                drop(engine.store.put(key, layer.len, chunk, nbytes));
                return ran(None).into();
            };
            let value = if assignment.inline { outside.inline(&chunk) } else { None };
            Answer { event: ran(value), chunk: Some((chunk, layer.len)) }
        }
        Err(failure) => WorkerEvent::RunFailed { key, attempt, failure }.into(),
    }
}

/// Whether what is written could be read again.
fn spillable(engine: &Engine, chunk: &Chunk) -> bool {
    match chunk.0.parts() {
        Some(parts) => parts.first().is_none_or(|part| engine.registry.decodes(part.0.kind())),
        None => engine.registry.decodes(chunk.0.kind()),
    }
}

/// Why a run cannot be waited for.
pub(crate) fn would_block() -> Failure {
    Failure::new(Code::BlockingInAsync, "a task waits for a run that was started outside of it")
        .detail("why", "the task occupies a thread that the run may need, so both could wait for ever")
        .help("start the computation inside the task, or pass its result to the task as an input")
}

/// TEMP
pub fn while_waiting<T>(wait: impl FnOnce() -> T) -> T {
    wait()
}
