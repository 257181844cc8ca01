//! A loop that executes tasks, in a thread of the pool or beside it.
//!
//! It refuses to know the machines: it takes an assignment, gathers its inputs from the store, runs the kernel, keeps the
//! chunk, and says so. Invariant: each assignment that it takes is answered exactly once, whatever its operators do.

use std::sync::Arc;
use std::time::Instant;

use partita_core::protocol::{Assignment, WorkerEvent};
use partita_graph::{Chunk, Code, Failure, Outcome, run_task_telling};

use crate::engine::{Brought, Engine, Event, Who};
use crate::place::{InLoop, InTask, Place};
use crate::signal::Signal;

/// What a loop job does.
pub(crate) fn run_loop(engine: Arc<Engine>) {
    // A pool that steals work may start this job inside a task that waits for its own nested work. That task must not
    // wait for everything else, so such a loop runs one task and asks for another loop.
    let nested = Place::in_loop();
    let (slot, signal) = engine.slots.enter();
    if serve(&engine, slot, signal, nested) {
        return;
    }
    for _ in 0..engine.slots.leave(slot) {
        engine.start_loop();
    }
}

/// True when the slot was given back because nothing is to be executed.
fn serve(engine: &Arc<Engine>, slot: usize, mut signal: Arc<Signal>, once: bool) -> bool {
    let _here = InLoop::new(engine, slot, &signal);
    while let Some((assignment, loops)) = engine.slots.take(slot, engine.busy()) {
        for _ in 0..loops {
            engine.start_loop();
        }
        let outside = engine.outside.as_ref();
        outside.inspect(|outside| outside.began(slot, &assignment));
        let started = Instant::now();
        let answer = execute(engine, slot, &signal, &assignment);
        // What it waited for took its own time, and took no thread from others.
        let nanos = (started.elapsed().as_nanos() as u64).saturating_sub(signal.waited());
        outside.inspect(|outside| outside.ended(slot));
        if let Some(fresh) = engine.slots.done(slot, nanos) {
            Place::renew(&fresh);
            signal = fresh;
        }
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

fn execute(engine: &Arc<Engine>, slot: usize, signal: &Arc<Signal>, assignment: &Assignment) -> Answer {
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
        let _here = InTask::new(engine, slot, signal);
        outcome = Some(run_task_telling(layer, (key, attempt), &inputs, signal.unwanted(), signal.progress(), &engine.registry));
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
