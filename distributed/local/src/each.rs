//! A run whose wanted keys end one by one: its handle and what it shares with the engine.
//!
//! It refuses to know machines. Invariants: what the handle says of a key is what `Ends` keeps of it; a key that is forgotten is
//! forgotten here before the machines hear of it; all results are released when the last handle is dropped.

use std::sync::{Arc, Mutex, PoisonError};

use partita_core::protocol::{RunId, SchedulerEvent};
use partita_graph::{Chunk, Failure, Key, KeyStatus, OnKeyEnd, Progress, RunningEach};

use crate::ends::Ends;
use crate::engine::{Engine, Event, Who};
use crate::run::{self, PAUSE, TRIES};
use crate::signal::OnCancel;
use crate::waiting;

/// What engine and handle share.
pub(crate) struct SharedEach {
    pub id: RunId,
    pub ends: Ends,
    notes: Mutex<Vec<String>>,
}

impl SharedEach {
    pub fn new(id: RunId, wanted: Vec<Key>) -> Arc<Self> {
        Arc::new(Self { id, ends: Ends::new(wanted), notes: Mutex::default() })
    }

    pub fn note(&self, text: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&text) {
            notes.push(text);
        }
    }

    /// Ends what has no end as cancelled. What the scheduler is to hear of that, if anything.
    pub fn cancel(&self) -> Option<SchedulerEvent> {
        forget_event(self.id, self.ends.cancel())
    }
}

pub(crate) fn forget_event(run: RunId, keys: Vec<Key>) -> Option<SchedulerEvent> {
    (!keys.is_empty()).then_some(SchedulerEvent::Forget { run, keys })
}

/// The handle.
pub(crate) struct LocalEach {
    pub engine: Arc<Engine>,
    pub shared: Arc<SharedEach>,
    /// It is cancelled with the task that submitted it.
    pub _with_task: Option<OnCancel>,
}

impl LocalEach {
    fn post(&self, event: Option<SchedulerEvent>) {
        if let Some(event) = event {
            self.engine.post(Event::Scheduler(event), Who::Other);
        }
    }
}

impl RunningEach for LocalEach {
    fn keys(&self) -> usize {
        self.shared.ends.wanted().len()
    }

    fn on_key_end(&self, callback: OnKeyEnd) {
        self.shared.ends.on_key_end(callback);
    }

    fn status(&self, index: usize) -> KeyStatus {
        self.shared.ends.status(index)
    }

    fn told(&self, index: usize) -> Result<Option<(u64, u64)>, Failure> {
        let key = self.shared.ends.key(index)?;
        // An operator that was told to stop may go on, and say so, when its key has ended.
        match self.shared.ends.status(index) {
            KeyStatus::Pending => Ok(self.engine.slots.told(key)),
            KeyStatus::Done | KeyStatus::Failed(_) | KeyStatus::Cancelled => Ok(None),
        }
    }

    fn wait_key(&self, index: usize) -> Result<Chunk, Failure> {
        let ends = &self.shared.ends;
        let key = ends.key(index)?;
        let mut tries = 1;
        loop {
            self.wait_stored(index)?;
            let file = self.engine.store.file(key);
            match self.engine.store.get(key, &self.engine.registry) {
                Ok(chunk) => return Ok(chunk),
                Err(failure) if tries == TRIES => return Err(failure),
                // One that is not there is being made: whoever asked for it before asked twice.
                Err(_) => tries += usize::from(file.is_some()),
            }
            // From here on it counts as not there, until the machines say that it is.
            ends.reopen(key);
            if let Some(file) = file {
                run::make_again(&self.engine, key, &file, || ends.pause(PAUSE));
            }
            if self.engine.store.held(key, None).is_some() {
                // Somebody else found it damaged, and it was made and told of before.
                ends.end([(key, Ok(()))]);
            }
        }
    }

    fn wait_stored(&self, index: usize) -> Result<(), Failure> {
        let ends = &self.shared.ends;
        if let (Ok(key), None) = (ends.key(index), ends.outcome(index)) {
            waiting::refuse_own(&self.engine, self.shared.id, Some(key))?;
        }
        ends.wait_for(index)
    }

    fn wait_any(&self, among: &[usize]) -> Result<usize, Failure> {
        if among.iter().all(|index| *index >= self.keys()) {
            return Err(Failure::internal("no result was named to wait for"));
        }
        self.shared.ends.wait_for_any(among)
    }

    fn wait_all(&self) -> Result<(), Failure> {
        if self.shared.ends.is_open() {
            waiting::refuse_own(&self.engine, self.shared.id, None)?;
        }
        self.shared.ends.wait_for_all()
    }

    fn forget(&self, indices: &[usize]) {
        self.post(forget_event(self.shared.id, self.shared.ends.forget(indices)));
    }

    fn cancel(&self) {
        self.post(self.shared.cancel());
    }

    fn progress(&self) -> Progress {
        run::progress(&self.engine, self.shared.id)
    }

    fn notes(&self) -> Vec<String> {
        self.shared.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for LocalEach {
    fn drop(&mut self) {
        run::release(&self.engine, self.shared.id);
    }
}
