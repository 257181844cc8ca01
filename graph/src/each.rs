//! Runs whose wanted keys end one by one: what a handle of such a run offers, and the handle of one that has ended already.
//!
//! It refuses to know who runs the graph. Invariants, for every implementation: the end of a key is told once to each callback,
//! never under a lock; a failure or a cancellation is final, while a good end may be taken back when the chunk turns out to be
//! lost, which whoever waits for the chunk does not see unless it cannot be made again; dropping the last handle releases all
//! results.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Chunk, Code, Failure, Progress};

/// How a wanted key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It has no end yet.
    Pending,
    /// Its chunk is there.
    Done,
    /// It cannot be made.
    Failed(Failure),
    /// It was forgotten or cancelled.
    Cancelled,
}

/// Is told of each key that ends: its place in `Graph::wanted`, and how.
pub type OnKeyEnd = Box<dyn Fn(usize, Result<(), Failure>) + Send + Sync>;

/// A run under way or ended whose wanted keys end one by one. Keys are named by their place in `Graph::wanted`; a place that there
/// is not fails with [`Code::Internal`] where something is waited for.
pub trait RunningEach: Send + Sync {
    /// How many wanted keys there are.
    fn keys(&self) -> usize;
    /// Calls back once for each key that ends or has ended: for those that have, at once in the calling thread. A key that is
    /// cancelled or forgotten before its end ends with [`Code::Cancelled`]. The callback must not block. Several may be set.
    fn on_key_end(&self, callback: OnKeyEnd);
    /// How a key stands.
    fn status(&self, index: usize) -> KeyStatus;
    /// How far the task of a key says that it is: how much of how much is done, in its own unit. Nothing when it says nothing, has not
    /// begun or has ended. A cluster is asked, and what it knows is a few tenths of a second old.
    ///
    /// # Errors
    /// The cluster cannot be asked.
    fn told(&self, index: usize) -> Result<Option<(u64, u64)>, Failure> {
        let _ = index;
        Ok(None)
    }
    /// Whether the chunk of a key that ended well can be had without bringing it from another process, which takes its time.
    fn is_at_hand(&self, index: usize) -> bool {
        let _ = index;
        true
    }
    /// Blocks until the key has an end; its chunk, brought here.
    fn wait_key(&self, index: usize) -> Result<Chunk, Failure>;
    /// The same for many keys, in their order: what must be brought from elsewhere is brought together.
    fn wait_keys(&self, indices: &[usize]) -> Vec<Result<Chunk, Failure>> {
        indices.iter().map(|index| self.wait_key(*index)).collect()
    }
    /// Blocks until the key has an end, without bringing the chunk.
    fn wait_stored(&self, index: usize) -> Result<(), Failure>;
    /// Blocks until one of these keys has an end, well or badly, and says which: the first of them in the order given. Costs in
    /// proportion to their number; who wants many one after the other as they end uses [`RunningEach::on_key_end`]. Fails when
    /// there is none to wait for, or the thread may not wait.
    fn wait_any(&self, among: &[usize]) -> Result<usize, Failure>;
    /// Blocks until every key has an end, well or badly. Fails only when the thread may not wait.
    fn wait_all(&self) -> Result<(), Failure>;
    /// These keys are not wanted any more: what is not made for anybody else is stopped or never begun, and chunks that nobody
    /// else wants are dropped.
    fn forget(&self, indices: &[usize]);
    /// Forgets the keys that have no end yet; results that are there stay.
    fn cancel(&self);
    /// How far it is.
    fn progress(&self) -> Progress;
    /// Remarks for the user that came up so far, each once.
    fn notes(&self) -> Vec<String>;
}

/// A handle to such a run.
pub type RunEach = Arc<dyn RunningEach>;

/// A run whose keys had all ended before its handle was given out: for executors that do all the work in `submit_each`.
pub struct EndedEach {
    /// How each key ended; `None` once it is forgotten.
    results: Mutex<Vec<Option<Result<Chunk, Failure>>>>,
    notes: Vec<String>,
    progress: Progress,
}

impl EndedEach {
    /// A run whose keys ended like this, with these remarks, and how far it came.
    pub fn new(results: Vec<Result<Chunk, Failure>>, notes: Vec<String>, progress: Progress) -> Self {
        Self { results: Mutex::new(results.into_iter().map(Some).collect()), notes, progress }
    }

    fn results(&self) -> MutexGuard<'_, Vec<Option<Result<Chunk, Failure>>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningEach for EndedEach {
    fn keys(&self) -> usize {
        self.results().len()
    }

    fn on_key_end(&self, callback: OnKeyEnd) {
        for index in 0..self.keys() {
            callback(index, self.wait_stored(index));
        }
    }

    fn status(&self, index: usize) -> KeyStatus {
        match self.results().get(index) {
            Some(Some(Ok(_))) => KeyStatus::Done,
            Some(Some(Err(failure))) => KeyStatus::Failed(failure.clone()),
            Some(None) | None => KeyStatus::Cancelled,
        }
    }

    fn wait_key(&self, index: usize) -> Result<Chunk, Failure> {
        match self.results().get(index) {
            Some(Some(result)) => result.clone(),
            Some(None) => Err(Failure::new(Code::Cancelled, "the result is not wanted any more")),
            None => Err(Failure::internal(format!("there is no result {index}"))),
        }
    }

    fn wait_stored(&self, index: usize) -> Result<(), Failure> {
        self.wait_key(index).map(drop)
    }

    fn wait_any(&self, among: &[usize]) -> Result<usize, Failure> {
        let keys = self.keys();
        let there = among.iter().find(|index| **index < keys);
        there.copied().ok_or_else(|| Failure::internal("no result was named to wait for"))
    }

    fn wait_all(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn forget(&self, indices: &[usize]) {
        let mut dropped = Vec::new();
        let mut results = self.results();
        for index in indices {
            dropped.extend(results.get_mut(*index).and_then(Option::take));
        }
        // Chunks may be large: they go when the lock is free.
        drop(results);
        drop(dropped);
    }

    fn cancel(&self) {}

    fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
