//! A run's handle and what it shares with the engine.
//!
//! It refuses to know machines. Invariants: callbacks are called once each and never under a lock; a failure or a
//! cancellation is final, a good end may be taken back when a chunk turns out to be lost; the results are released when
//! the last handle is dropped.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partita_core::protocol::{RunId, SchedulerEvent, WorkerEvent};
use partita_graph::{Chunk, Code, Failure, Key, Progress, Running};

use crate::each::SharedEach;
use crate::engine::{Engine, Event, Who};
use crate::signal::OnCancel;
use crate::spill::SpillFile;
use crate::waiting;

/// Between two looks at something that does not ring the bell.
pub(crate) const PAUSE: Duration = Duration::from_micros(200);
/// How often a result that cannot be read back from disk is made again.
pub(crate) const TRIES: usize = 3;

type Callback = Box<dyn FnOnce() + Send>;

/// How single keys ended, in order.
pub(crate) type KeyEnds = Vec<(Key, Result<(), Failure>)>;

/// Who hears of a run: what its handle shares with the engine.
#[derive(Clone)]
pub(crate) enum Audience {
    /// Its keys end together.
    Whole(Arc<Shared>),
    /// They end one by one.
    Each(Arc<SharedEach>),
}

impl Audience {
    pub fn id(&self) -> RunId {
        match self {
            Audience::Whole(shared) => shared.id,
            Audience::Each(shared) => shared.id,
        }
    }

    pub fn note(&self, text: String) {
        match self {
            Audience::Whole(shared) => shared.note(text),
            Audience::Each(shared) => shared.note(text),
        }
    }

    /// The run has ended as a whole. Where keys end one by one a good end says nothing new.
    pub fn end(&self, outcome: Result<(), Failure>) {
        match (self, outcome) {
            (Audience::Whole(shared), outcome) => shared.end(outcome),
            (Audience::Each(shared), Err(failure)) => shared.ends.fail_rest(&failure),
            (Audience::Each(_), Ok(())) => {}
        }
    }

    /// Single keys have ended; nothing is said so of runs that end as a whole.
    pub fn keys(&self, ended: KeyEnds) {
        if let Audience::Each(shared) = self {
            shared.ends.end(ended);
        }
    }

    /// Whether it goes on.
    pub fn is_live(&self) -> bool {
        match self {
            Audience::Whole(shared) => shared.is_live(),
            Audience::Each(shared) => shared.ends.is_open(),
        }
    }

    /// Ends as cancelled what has no end. What the scheduler is to hear of that, if anything.
    pub fn cancel(&self) -> Option<SchedulerEvent> {
        match self {
            Audience::Whole(shared) => shared.cancel().then_some(SchedulerEvent::Cancel(shared.id)),
            Audience::Each(shared) => shared.cancel(),
        }
    }
}

/// A result's file is gone or damaged: the machines are told and make the chunk again. They are told until they have heard it,
/// because they do not listen while they think that the chunk is still being written.
pub(crate) fn make_again(engine: &Arc<Engine>, key: Key, file: &Arc<SpillFile>, pause: impl Fn()) {
    while engine.store.file(key).is_some_and(|now| Arc::ptr_eq(&now, file)) {
        engine.post(Event::Worker(WorkerEvent::LoadFailed { key }), Who::Other);
        pause();
    }
}

/// How far a run is.
pub(crate) fn progress(engine: &Arc<Engine>, run: RunId) -> Progress {
    let run = engine.inspect(|core| core.scheduler().progress(run));
    let usage = engine.store.usage();
    let layers = run.layers.into_iter().map(|layer| (layer.name, layer.done, layer.total)).collect();
    Progress { layers, memory: usage.memory, spilled: usage.spilled, running: run.running }
}

/// The last handle of a run is gone.
pub(crate) fn release(engine: &Arc<Engine>, run: RunId) {
    engine.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    engine.post(Event::Scheduler(SchedulerEvent::Release(run)), Who::Other);
}

/// What engine and handle share.
pub(crate) struct Shared {
    pub id: RunId,
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    outcome: Option<Result<(), Failure>>,
    notes: Vec<String>,
    callbacks: Vec<Callback>,
}

impl Shared {
    pub fn new(id: RunId) -> Arc<Self> {
        Arc::new(Self { id, state: Mutex::default(), bell: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run has ended; a failure that came first stays.
    pub fn end(&self, outcome: Result<(), Failure>) {
        let mut state = self.state();
        if matches!(state.outcome, Some(Err(_))) {
            return;
        }
        state.outcome = Some(outcome);
        let callbacks = std::mem::take(&mut state.callbacks);
        drop(state);
        self.bell.notify_all();
        for callback in callbacks {
            callback();
        }
    }

    /// A good end is taken back: something must be made again.
    fn reopen(&self) {
        let mut state = self.state();
        if matches!(state.outcome, Some(Ok(()))) {
            state.outcome = None;
        }
    }

    /// Ends it as cancelled; false if it had ended.
    pub fn cancel(&self) -> bool {
        let ended = self.outcome().is_some();
        if !ended {
            self.end(Err(Failure::new(Code::Cancelled, "the computation was cancelled")));
        }
        !ended
    }

    /// Whether it goes on.
    pub fn is_live(&self) -> bool {
        self.state().outcome.is_none()
    }

    pub fn note(&self, text: String) {
        let mut state = self.state();
        if !state.notes.contains(&text) {
            state.notes.push(text);
        }
    }

    fn outcome(&self) -> Option<Result<(), Failure>> {
        self.state().outcome.clone()
    }

    /// Rings for whoever waits and is to look at something else than the outcome.
    fn ring(&self) {
        // Who looked before and sleeps now is woken; who looks later sees it.
        drop(self.state());
        self.bell.notify_all();
    }

    /// The outcome, or nothing when `given_up` says that nobody wants to know any more.
    fn wait(&self, given_up: &dyn Fn() -> bool) -> Option<Result<(), Failure>> {
        let mut state = self.state();
        while state.outcome.is_none() && !given_up() {
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.outcome.clone()
    }

    fn pause(&self) {
        let state = self.state();
        if state.outcome.is_none() {
            drop(self.bell.wait_timeout(state, PAUSE));
        }
    }
}

/// The handle.
pub(crate) struct LocalRun {
    pub engine: Arc<Engine>,
    pub shared: Arc<Shared>,
    pub wanted: Vec<Key>,
    /// It is cancelled with the task that submitted it.
    pub _with_task: Option<OnCancel>,
}

impl LocalRun {
    fn wait_ended(&self) -> Result<(), Failure> {
        if let Some(outcome) = self.shared.outcome() {
            return outcome;
        }
        waiting::refuse_own(&self.engine, self.shared.id, None)?;
        let rung = self.shared.clone();
        waiting::wait_inside(move || rung.ring(), |given_up| self.shared.wait(given_up))?
    }
}

impl LocalRun {
    fn make_again(&self, key: Key, file: Option<&Arc<SpillFile>>) {
        // From here on the run has not ended, until the machines say so.
        self.shared.reopen();
        if let Some(file) = file {
            make_again(&self.engine, key, file, || self.shared.pause());
        }
        if self.engine.store.held(key, None).is_some() {
            // Somebody else found it damaged, and it was made and told of before.
            self.shared.end(Ok(()));
        }
    }
}

impl Running for LocalRun {
    fn wait(&self) -> Result<Vec<Chunk>, Failure> {
        self.wait_stored()?;
        (0..self.wanted.len()).map(|index| self.result(index)).collect()
    }

    fn wait_stored(&self) -> Result<(), Failure> {
        self.wait_ended()
    }

    fn on_end(&self, callback: Callback) {
        let mut state = self.shared.state();
        if state.outcome.is_none() {
            state.callbacks.push(callback);
        } else {
            drop(state);
            callback();
        }
    }

    fn result(&self, index: usize) -> Result<Chunk, Failure> {
        let key = *self.wanted.get(index).ok_or_else(|| Failure::internal(format!("there is no result {index}")))?;
        let mut tries = 1;
        loop {
            self.wait_ended()?;
            let file = self.engine.store.file(key);
            match self.engine.store.get(key, &self.engine.registry) {
                Ok(chunk) => return Ok(chunk),
                Err(failure) if tries == TRIES => return Err(failure),
                // One that is not there is being made: whoever asked for it before asked twice.
                Err(_) => tries += usize::from(file.is_some()),
            }
            self.make_again(key, file.as_ref());
        }
    }

    fn progress(&self) -> Progress {
        progress(&self.engine, self.shared.id)
    }

    fn cancel(&self) {
        self.engine.cancel(&Audience::Whole(self.shared.clone()));
    }

    fn notes(&self) -> Vec<String> {
        self.shared.state().notes.clone()
    }
}

impl Drop for LocalRun {
    fn drop(&mut self) {
        release(&self.engine, self.shared.id);
    }
}
