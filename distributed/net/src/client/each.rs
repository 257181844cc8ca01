//! A run on a cluster whose wanted keys end one by one: its handle.
//!
//! It refuses to know links; what is heard of the run comes in through `Shared`. Invariants: what the handle says of a key is what
//! `Ends` keeps of it; a key that is forgotten is forgotten here before the scheduler hears of it; all results are released when the
//! last handle is dropped.

use std::collections::HashMap;
use std::sync::Arc;

use partita_graph::{Chunk, Failure, Key, KeyStatus, OnKeyEnd, Progress, RunningEach};
use partita_local::{Ends, OnCancel, current_cancelled, try_while_waiting};

use super::remote::Inner;
use super::run::Shared;
use crate::message::ClientToScheduler;
use crate::wire;

/// The handle.
pub(super) struct RemoteEach {
    inner: Arc<Inner>,
    shared: Arc<Shared>,
    /// It is cancelled with the task that submitted it.
    _with_task: Option<OnCancel>,
}

fn ends(shared: &Shared) -> &Ends {
    shared.ends().expect("a run whose keys end one by one keeps their ends")
}

fn tell_forgotten(inner: &Inner, shared: &Shared, keys: Vec<Key>) {
    if !keys.is_empty() {
        shared.forget_values(&keys);
        inner.send(&ClientToScheduler::Forget { run: shared.number, keys });
    }
}

impl RemoteEach {
    pub fn new(inner: Arc<Inner>, shared: Arc<Shared>) -> Self {
        let (with, its) = (inner.clone(), shared.clone());
        let _with_task = current_cancelled().map(|task| task.on_set(move || tell_forgotten(&with, &its, ends(&its).cancel())));
        Self { inner, shared, _with_task }
    }

    fn ends(&self) -> &Ends {
        ends(&self.shared)
    }

    fn tell_forgotten(&self, keys: Vec<Key>) {
        tell_forgotten(&self.inner, &self.shared, keys);
    }

    /// Cancels those of these keys that have no end.
    pub fn cancel_keys(&self, keys: &[Key]) {
        self.forget(&self.ends().open_among(keys));
    }

    /// Lets failed keys among these go, so that they are tried again when they are submitted next. The handle keeps their failures.
    pub fn forget_failures(&self, keys: &[Key]) {
        let failed = self.ends().failed_among(keys);
        if !failed.is_empty() {
            self.inner.send(&ClientToScheduler::Forget { run: self.shared.number, keys: failed });
        }
    }

    /// Lets those go that failed with this, in the same way.
    pub fn forget_failure(&self, failure: &Failure) {
        let keys = self.ends().failed_with(failure);
        if !keys.is_empty() {
            self.inner.send(&ClientToScheduler::Forget { run: self.shared.number, keys });
        }
    }

    /// A result that came with its end.
    fn inline(&self, key: Key) -> Option<Result<Chunk, Failure>> {
        self.shared.inline(key).map(|value| wire::decode_value(&value, &self.inner.registry))
    }
}

impl RunningEach for RemoteEach {
    fn keys(&self) -> usize {
        self.ends().wanted().len()
    }

    fn on_key_end(&self, callback: OnKeyEnd) {
        self.ends().on_key_end(callback);
    }

    fn status(&self, index: usize) -> KeyStatus {
        self.ends().status(index)
    }

    fn told(&self, index: usize) -> Result<Option<(u64, u64)>, Failure> {
        let key = self.ends().key(index)?;
        match self.ends().status(index) {
            KeyStatus::Pending => self.inner.told(key),
            KeyStatus::Done | KeyStatus::Failed(_) | KeyStatus::Cancelled => Ok(None),
        }
    }

    fn is_at_hand(&self, index: usize) -> bool {
        self.ends().key(index).is_ok_and(|key| self.shared.inline(key).is_some())
    }

    fn wait_key(&self, index: usize) -> Result<Chunk, Failure> {
        let mut results = self.wait_keys(&[index]);
        results.pop().unwrap_or_else(|| Err(Failure::internal("a result was not brought")))
    }

    fn wait_keys(&self, indices: &[usize]) -> Vec<Result<Chunk, Failure>> {
        let mut results: Vec<Option<Result<Chunk, Failure>>> = Vec::with_capacity(indices.len());
        let mut absent: HashMap<Key, usize> = HashMap::new();
        for index in indices {
            let key = self.wait_stored(*index).and_then(|()| self.ends().key(*index));
            results.push(match key {
                Err(failure) => Some(Err(failure)),
                Ok(key) => {
                    let value = self.inline(key);
                    if value.is_none() {
                        absent.insert(key, *index);
                    }
                    value
                }
            });
        }
        let (mut brought, mut refused) = (HashMap::new(), None);
        if !absent.is_empty() {
            match try_while_waiting(|| self.inner.bring_each(&self.shared, self.ends(), absent)) {
                Ok(read) => brought = read,
                Err(failure) => refused = Some(failure),
            }
        }
        let missing = || Err(refused.clone().unwrap_or_else(|| Failure::internal("a result was not brought")));
        let of = |index: &usize| self.ends().key(*index).ok().and_then(|key| brought.get(&key).cloned());
        results.into_iter().zip(indices).map(|(result, index)| result.or_else(|| of(index)).unwrap_or_else(missing)).collect()
    }

    fn wait_stored(&self, index: usize) -> Result<(), Failure> {
        self.ends().wait_for(index)
    }

    fn wait_any(&self, among: &[usize]) -> Result<usize, Failure> {
        if among.iter().all(|index| *index >= self.keys()) {
            return Err(Failure::internal("no result was named to wait for"));
        }
        self.ends().wait_for_any(among)
    }

    fn wait_all(&self) -> Result<(), Failure> {
        self.ends().wait_for_all()
    }

    fn forget(&self, indices: &[usize]) {
        self.tell_forgotten(self.ends().forget(indices));
    }

    fn cancel(&self) {
        self.tell_forgotten(self.ends().cancel());
    }

    fn progress(&self) -> Progress {
        self.shared.progress()
    }

    fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }
}

impl Drop for RemoteEach {
    fn drop(&mut self) {
        self.inner.forget(self.shared.number);
        self.inner.send(&ClientToScheduler::Release(self.shared.number));
    }
}
