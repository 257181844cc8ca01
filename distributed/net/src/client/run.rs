//! A run on a cluster, as its handle and the receiving thread share it; and the handle of a run that ends as a whole.
//!
//! It refuses to know links. Invariants: callbacks are called once each and never under a lock; a failure or a cancellation is
//! final, a good end may be taken back when a chunk turns out to be lost; the results are released when the last handle is
//! dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use partita_graph::{Chunk, Code, Failure, Key, Progress, Running};
use partita_local::{Ends, OnCancel, current_cancelled, look_briefly, try_while_waiting, wait_inside};

use super::fetch::Places;
use super::remote::Inner;
use crate::message::{ClientToScheduler, KeyNews};
use crate::wire;

type Callback = Box<dyn FnOnce() + Send>;

/// What the receiving thread and the handle share.
pub(super) struct Shared {
    /// The client's number of the run.
    pub number: u64,
    state: Mutex<State>,
    bell: Condvar,
    /// How its keys ended, where they end one by one.
    ends: Option<Ends>,
}

#[derive(Default)]
struct State {
    outcome: Option<Result<(), Failure>>,
    /// How often the scheduler said that all is there, or, where keys end one by one, that some are.
    dones: u64,
    /// Small results, encoded.
    values: HashMap<Key, Bytes>,
    notes: Vec<String>,
    progress: Progress,
    callbacks: Vec<Callback>,
    /// Where large results are, as far as it was asked for.
    places: Option<Arc<Places>>,
}

impl Shared {
    /// Of a run that ends as a whole.
    pub fn new(number: u64) -> Arc<Self> {
        Arc::new(Self { number, state: Mutex::default(), bell: Condvar::new(), ends: None })
    }

    /// Of a run whose keys end one by one.
    pub fn each(number: u64, wanted: Vec<Key>) -> Arc<Self> {
        Arc::new(Self { number, state: Mutex::default(), bell: Condvar::new(), ends: Some(Ends::new(wanted)) })
    }

    pub fn ends(&self) -> Option<&Ends> {
        self.ends.as_ref()
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
        state.dones += u64::from(outcome.is_ok());
        state.outcome = Some(outcome.clone());
        let callbacks = std::mem::take(&mut state.callbacks);
        drop(state);
        self.bell.notify_all();
        for callback in callbacks {
            callback();
        }
        if let (Some(ends), Err(failure)) = (&self.ends, outcome) {
            ends.fail_rest(&failure);
        }
    }

    /// Small results came, and single keys ended.
    pub fn news(&self, mut news: KeyNews) {
        if let Some(ends) = &self.ends {
            // A value may cross the word that it is not wanted any more.
            news.values.retain(|(key, _)| ends.wants(*key));
        }
        let mut state = self.state();
        // Copied out of the message, which carries many: one that is kept must not keep all the others.
        state.values.extend(news.values.into_iter().map(|(key, value)| (key, Bytes::copy_from_slice(&value))));
        let Some(ends) = &self.ends else { return };
        state.dones += 1;
        drop(state);
        self.bell.notify_all();
        let done = news.done.into_iter().map(|key| (key, Ok(())));
        let failed = news.failed.into_iter().flat_map(|(keys, failure)| keys.into_iter().map(move |key| (key, Err(failure.clone()))));
        ends.end(done.chain(failed));
    }

    /// Waits until the scheduler has said more than `dones` times that all is there, but not after `until`. False when it did
    /// not.
    pub fn wait_for_another_done(&self, dones: u64, until: Instant) -> Result<bool, Failure> {
        let mut state = self.state();
        loop {
            if let Some(Err(failure)) = &state.outcome {
                return Err(failure.clone());
            }
            if state.dones > dones {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Ok(false);
            }
            state = self.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The scheduler cannot be heard any more. What has ended well stays so: its small results are here.
    pub fn cut(&self, failure: Failure) {
        if self.outcome().is_none() {
            self.end(Err(failure));
        }
    }

    pub fn places(&self) -> Option<Arc<Places>> {
        self.state().places.clone()
    }

    pub fn set_places(&self, places: Arc<Places>) {
        self.state().places = Some(places);
    }

    pub fn dones(&self) -> u64 {
        self.state().dones
    }

    pub fn inline(&self, key: Key) -> Option<Bytes> {
        self.state().values.get(&key).cloned()
    }

    pub fn forget_values(&self, keys: &[Key]) {
        let mut state = self.state();
        for key in keys {
            state.values.remove(key);
        }
    }

    pub fn note(&self, text: String) {
        let mut state = self.state();
        if !state.notes.contains(&text) {
            state.notes.push(text);
        }
    }

    pub fn notes(&self) -> Vec<String> {
        self.state().notes.clone()
    }

    pub fn progress(&self) -> Progress {
        self.state().progress.clone()
    }

    pub fn set_progress(&self, progress: Progress) {
        self.state().progress = progress;
    }

    pub fn outcome(&self) -> Option<Result<(), Failure>> {
        self.state().outcome.clone()
    }

    /// Waits for the outcome. A task that does so gives its slot up.
    fn wait(self: &Arc<Self>) -> Result<(), Failure> {
        if let Some(outcome) = self.outcome().or_else(|| look_briefly(|| self.outcome())) {
            return outcome;
        }
        let rung = self.clone();
        let wait = |given_up: &dyn Fn() -> bool| {
            let mut state = self.state();
            while state.outcome.is_none() && !given_up() {
                state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.outcome.clone()
        };
        wait_inside(move || rung.ring(), wait)?
    }

    /// Rings for whoever waits and is to look at something else than the outcome.
    fn ring(&self) {
        // Who looked before and sleeps now is woken; who looks later sees it.
        drop(self.state());
        self.bell.notify_all();
    }
}

/// Stops a run that ends as a whole, unless it has ended.
fn stop(inner: &Inner, shared: &Shared) {
    if shared.outcome().is_none() {
        shared.end(Err(Failure::new(Code::Cancelled, "the computation was cancelled")));
        inner.send(&ClientToScheduler::Cancel(shared.number));
    }
}

/// The handle.
pub(super) struct RemoteRun {
    pub inner: Arc<Inner>,
    pub shared: Arc<Shared>,
    pub wanted: Vec<Key>,
    /// The scheduler was told that the results are not wanted any more.
    released: AtomicBool,
    /// It is stopped with the task that submitted it.
    _with_task: Option<OnCancel>,
}

impl RemoteRun {
    pub fn new(inner: Arc<Inner>, shared: Arc<Shared>, wanted: Vec<Key>) -> Self {
        let (with, its) = (inner.clone(), shared.clone());
        let _with_task = current_cancelled().map(|task| task.on_set(move || stop(&with, &its)));
        Self { inner, shared, wanted, released: AtomicBool::new(false), _with_task }
    }

    /// Tells the scheduler once.
    pub fn release(&self) {
        if !self.released.swap(true, Ordering::Relaxed) {
            self.inner.send(&ClientToScheduler::Release(self.shared.number));
        }
    }

    /// Stops it unless it has ended.
    pub fn stop(&self) {
        stop(&self.inner, &self.shared);
    }

    fn results(&self, keys: &[Key]) -> Result<Vec<Chunk>, Failure> {
        self.shared.wait()?;
        let mut chunks: Vec<Option<Chunk>> = Vec::with_capacity(keys.len());
        let mut absent = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            match self.shared.inline(*key) {
                Some(value) => chunks.push(Some(wire::decode_value(&value, &self.inner.registry)?)),
                None => {
                    absent.push((at, *key));
                    chunks.push(None);
                }
            }
        }
        if !absent.is_empty() {
            let keys: Vec<Key> = absent.iter().map(|(_, key)| *key).collect();
            let fetched = try_while_waiting(|| self.inner.bring(&self.shared, &keys))??;
            for ((at, _), chunk) in absent.iter().zip(fetched) {
                chunks[*at] = Some(chunk);
            }
        }
        Ok(chunks.into_iter().flatten().collect())
    }
}

impl Running for RemoteRun {
    fn wait(&self) -> Result<Vec<Chunk>, Failure> {
        self.results(&self.wanted)
    }

    fn wait_stored(&self) -> Result<(), Failure> {
        self.shared.wait()
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
        let mut chunks = self.results(&[key])?;
        chunks.pop().ok_or_else(|| Failure::internal("a result was not brought"))
    }

    fn progress(&self) -> Progress {
        self.shared.progress()
    }

    fn cancel(&self) {
        self.stop();
    }

    fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }
}

impl Drop for RemoteRun {
    fn drop(&mut self) {
        self.inner.forget(self.shared.number);
        self.release();
    }
}
