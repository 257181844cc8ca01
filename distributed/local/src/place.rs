//! Which loop is in which thread, and whether a task runs in it at the moment: by this an operator finds the engine that runs it,
//! without being told.
//!
//! It refuses to decide what is done with that. Invariant: what was before is restored when a loop, or a task in a thread of another
//! pool, ends.

use std::cell::RefCell;
use std::sync::Arc;

use crate::engine::Engine;
use crate::signal::Signal;

thread_local! {
    /// The innermost loop of this thread, or the task of another thread's loop that runs here.
    static HERE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// A slot of an engine.
#[derive(Clone)]
pub(crate) struct Place {
    pub engine: Arc<Engine>,
    pub slot: usize,
    /// That of the try which runs there now, or will run there next.
    pub signal: Arc<Signal>,
    /// A task runs here; between two tasks the loop is busy with events.
    in_task: bool,
    /// It waits for something, and has said so.
    waits: bool,
}

impl Place {
    /// The task that runs in the calling thread.
    pub fn of_task() -> Option<Place> {
        HERE.with_borrow(|here| here.clone().filter(|place| place.in_task))
    }

    /// Whether the calling thread is in a loop.
    pub fn in_loop() -> bool {
        HERE.with_borrow(Option::is_some)
    }

    /// The loop of this thread has another signal for the tries to come.
    pub fn renew(signal: &Arc<Signal>) {
        HERE.with_borrow_mut(|here| here.iter_mut().for_each(|place| place.signal = signal.clone()));
    }

    /// The task here waits, or goes on.
    pub fn set_waits(waits: bool) {
        HERE.with_borrow_mut(|here| here.iter_mut().for_each(|place| place.waits = waits));
    }

    pub fn waits(&self) -> bool {
        self.waits
    }

    fn is(&self, engine: &Arc<Engine>, slot: usize) -> bool {
        self.slot == slot && Arc::ptr_eq(&self.engine, engine)
    }
}

/// A loop is in this thread until this is dropped.
pub(crate) struct InLoop(Option<Place>);

impl InLoop {
    pub fn new(engine: &Arc<Engine>, slot: usize, signal: &Arc<Signal>) -> Self {
        Self::enter(engine, slot, signal, false)
    }

    fn enter(engine: &Arc<Engine>, slot: usize, signal: &Arc<Signal>, in_task: bool) -> Self {
        let place = Place { engine: engine.clone(), slot, signal: signal.clone(), in_task, waits: false };
        Self(HERE.with_borrow_mut(|here| here.replace(place)))
    }
}

impl Drop for InLoop {
    fn drop(&mut self) {
        // What was there is dropped after the borrow: it may be the last of its engine.
        drop(HERE.replace(self.0.take()));
    }
}

/// Until this is dropped no task is thought to run in this thread, though one may: what is called back is not its work.
pub(crate) struct NoTask(bool);

impl NoTask {
    pub fn new() -> Self {
        // A thread that ends may drop the last handle of a run when this is gone already.
        let was = HERE.try_with(|here| here.borrow_mut().as_mut().is_some_and(|place| std::mem::take(&mut place.in_task)));
        Self(was.unwrap_or(false))
    }
}

impl Drop for NoTask {
    fn drop(&mut self) {
        if self.0 {
            HERE.with_borrow_mut(|here| here.iter_mut().for_each(|place| place.in_task = true));
        }
    }
}

/// A task runs in this thread until this is dropped.
pub(crate) struct InTask(Option<InLoop>);

impl InTask {
    pub fn new(engine: &Arc<Engine>, slot: usize, signal: &Arc<Signal>) -> Self {
        let known = HERE.with_borrow_mut(|here| match here {
            Some(place) if place.is(engine, slot) => {
                place.in_task = true;
                true
            }
            _ => false,
        });
        // The pool may run the task in a thread that knows nothing of the loop, or is in the middle of another task.
        Self((!known).then(|| InLoop::enter(engine, slot, signal, true)))
    }
}

impl Drop for InTask {
    fn drop(&mut self) {
        if self.0.is_none() {
            HERE.with_borrow_mut(|here| here.iter_mut().for_each(|place| place.in_task = false));
        }
    }
}
