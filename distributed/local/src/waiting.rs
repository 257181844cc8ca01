//! Waiting inside a task: for what it has submitted itself, for a lock, for anything that may need the slot it has. The slot is given
//! up for that time, so tasks may wait for tasks, however few threads there are.
//!
//! It refuses to know what is waited for. Invariants: the machine hears that a task waits before it does, and that it goes on before it
//! does; a loop takes the place of the one that waits, in a thread beside the pool; outside of a task nothing is different from plain
//! waiting.
//!
//! A thread waits with each task, so there is a limit ([`MOST_WAITING`]). What tasks submit is more urgent than they are
//! ([`hurry_inside`]): it is done before further tasks begin to wait, so that the limit is far even for a million of them.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;

use partita_core::protocol::{RunId, WorkerEvent};
use partita_graph::{Annotations, Code, Failure, Graph, Key, Layer};

use crate::engine::{Engine, Event, Who};
use crate::place::Place;
use crate::signal::Cancelled;
use crate::slots::Task;

/// Tasks that may wait inside at a time in one executor, unless its options say otherwise.
pub const MOST_WAITING: usize = 2_000;

/// Waits, by calling `wait`. Inside a task the task's slot is given up meanwhile, so that others run in its place; it is taken back
/// before this returns. Outside of a task, and inside of another call of this, `wait` is just called.
///
/// A task that is cancelled is not woken: who can do that uses [`current_cancelled`] or [`wait_inside`].
///
/// When as many tasks wait as may, the task fails with [`Code::TooManyWaiting`]: its stack is unwound from here. With
/// [`try_while_waiting`] it can do something about that.
///
/// ```
/// use std::sync::{Arc, Barrier};
/// use partita_graph::{Chunk, Executor, Graph, Layer, OpRef, Plain, Registry};
/// use partita_local::{Local, Options, ThreadPool, while_waiting};
///
/// // One thread, and two tasks that can only end together.
/// let local = Local::new(Options::default(), Arc::new(ThreadPool::new(1)), Registry::default())?;
/// let meeting = Arc::new(Barrier::new(2));
/// let meets = OpRef::closure("meets", 1, move |ctx, _| {
///     while_waiting(|| meeting.wait());
///     Ok(Chunk::new(Plain(i64::from(ctx.key.index))))
/// });
/// let mut graph = Graph::default();
/// let layer = graph.add(Layer::single("meets", 2, meets, vec![]));
/// graph.want_all(layer);
/// assert_eq!(local.submit(graph)?.wait()?.len(), 2);
/// # Ok::<(), partita_graph::Failure>(())
/// ```
pub fn while_waiting<T>(wait: impl FnOnce() -> T) -> T {
    match try_while_waiting(wait) {
        Ok(waited) => waited,
        // Whoever runs the task takes it for the task's failure.
        Err(failure) => resume_unwind(Box::new(failure)),
    }
}

/// As [`while_waiting`].
///
/// # Errors
/// As many tasks wait as may, or the system has no thread left ([`Code::TooManyWaiting`]); `wait` was not called.
pub fn try_while_waiting<T>(wait: impl FnOnce() -> T) -> Result<T, Failure> {
    let _away = leave()?;
    Ok(wait())
}

/// Waits for something that rings a bell, and inside a task until nobody wants the task any more. `ring` is called in that moment, in
/// another thread, and wakes `wait`, which gives up with `None` when it then finds that what it is given says so.
///
/// # Errors
/// Nobody wants the task any more ([`Code::Cancelled`]); as [`try_while_waiting`].
pub fn wait_inside<T>(ring: impl FnOnce() + Send + 'static, wait: impl FnOnce(&dyn Fn() -> bool) -> Option<T>) -> Result<T, Failure> {
    let given_up = || Failure::new(Code::Cancelled, "the task was cancelled while it waited");
    let Some(cancelled) = current_cancelled() else { return wait(&|| false).ok_or_else(given_up) };
    let _told = cancelled.on_set(ring);
    try_while_waiting(|| wait(&|| cancelled.is_set()))?.ok_or_else(given_up)
}

/// Whether somebody still wants the result of the task in which this is called; nothing outside of a task.
pub fn current_cancelled() -> Option<Cancelled> {
    Place::of_task().map(|place| Cancelled::of(&place.signal))
}

/// Makes all tasks of a graph more urgent than the task in which this is called, unless they are already. Outside of a task it changes
/// nothing. Executors do this with what is submitted to them.
pub fn hurry_inside(graph: &mut Graph) {
    let Some(task) = Place::of_task().and_then(|place| place.engine.slots.task(place.slot)) else { return };
    let least = task.priority.saturating_add(1);
    for layer in &mut graph.layers {
        let wishes = layer.annotations.as_deref().cloned().unwrap_or_default();
        if wishes.priority < least {
            let annotations = Some(Arc::new(Annotations { priority: least, ..wishes }));
            *layer = Arc::new(Layer { annotations, ..(**layer).clone() });
        }
    }
}

/// Fails when the task in which this is called would wait for itself: when the run, or this one result of it, needs the task's chunk. Of
/// tasks that wait for each other in a circle nothing is known.
pub(crate) fn refuse_own(engine: &Arc<Engine>, run: RunId, only: Option<Key>) -> Result<(), Failure> {
    let Some(place) = Place::of_task().filter(|place| Arc::ptr_eq(&place.engine, engine)) else { return Ok(()) };
    let Some(task) = engine.slots.task(place.slot) else { return Ok(()) };
    if !engine.inspect(|core| core.scheduler().needs(run, only, task.key)) {
        return Ok(());
    }
    Err(Failure::new(Code::WaitsForItself, format!("task {} waits for a result that cannot be made before its own", task.key))
        .help("wait for it outside of the task, or submit a graph that does not need the task"))
}

/// The task here has given its slot up until this is dropped, in the same thread.
pub(crate) struct Away {
    place: Place,
    task: Task,
    since: Instant,
}

/// Gives the slot up; nothing where there is none, or where it has been given up already.
pub(crate) fn leave() -> Result<Option<Away>, Failure> {
    let Some(place) = Place::of_task().filter(|place| !place.waits()) else { return Ok(None) };
    let engine = place.engine.clone();
    let Some(task) = engine.slots.pause(place.slot) else { return Err(too_many(engine.slots.most_waiting())) };
    Place::set_waits(true);
    let away = Away { place, task, since: Instant::now() };
    engine.post(Event::Worker(WorkerEvent::Waits(task.key, task.attempt)), Who::Other);
    match engine.start_loop_aside() {
        Ok(()) => Ok(Some(away)),
        Err(cause) => {
            engine.slots.no_successor();
            drop(away);
            Err(too_many(engine.slots.waiting()).detail("the system says", cause.to_string()))
        }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let Away { place, task, since } = self;
        place.engine.slots.resume();
        place.signal.add_wait(since.elapsed().as_nanos() as u64);
        Place::set_waits(false);
        place.engine.post(Event::Worker(WorkerEvent::Resumes(task.key, task.attempt)), Who::Other);
    }
}

fn too_many(waiting: usize) -> Failure {
    Failure::new(Code::TooManyWaiting, format!("a task would wait inside for others, as {waiting} tasks do already"))
        .detail("why", "each of them keeps a thread of this process")
        .help("let tasks return what others go on with instead of waiting for it, or submit from fewer tasks at a time")
}
