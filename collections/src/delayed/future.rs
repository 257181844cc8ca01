//! Futures: results of calls that are being made.
//!
//! It refuses to know where tasks run. Invariants: a future ends once, whatever becomes of others that were submitted with it; when
//! the last clone of a future is dropped, the cluster need not keep its result any more.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use partita_graph::{Chunk, Executor, Failure, Graph, Key, KeyStatus, Origin, RunEach};

use super::lineage::Lineage;
use super::node::{Known, Node, What};
use super::value::{TaskValue, value_in};
use crate::client::Client;
use crate::client::aside::aside;
use crate::client::mailbox::heard;

/// How a future stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has not ended.
    Pending,
    /// Its result is there.
    Finished,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// The result of a call that is being made.
///
/// Clones are the same future. It can be waited for (`result`), awaited, or handed to further calls, which then start when it
/// ends. Dropping the last clone lets the result go, and stops the call if nobody else wants it.
///
/// ```
/// use partita::prelude::*;
/// use partita::task;
///
/// #[task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// let client = Client::builder().threads(2).build()?;
/// let four = client.submit(square, (2,))?;
/// let sixteen = client.submit(square, (&four,))?;
/// assert_eq!(sixteen.result()?, 16);
/// # Ok::<(), partita::Error>(())
/// ```
pub struct DFuture<T> {
    one: Arc<One>,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for DFuture<T> {
    fn clone(&self) -> Self {
        Self { one: self.one.clone(), value: PhantomData }
    }
}

impl<T> fmt::Debug for DFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DFuture({}, {:?})", self.key(), self.status())
    }
}

/// One key of a run.
pub(crate) struct One {
    pub batch: Arc<Batch>,
    pub index: usize,
}

impl One {
    pub fn key(&self) -> Key {
        self.batch.wanted[self.index]
    }

    /// Whether it has ended well or may still.
    pub fn is_sound(&self) -> bool {
        matches!(self.batch.run.status(self.index), KeyStatus::Pending | KeyStatus::Done)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.batch.forget(self.index);
    }
}

/// A wait for the end of a future: it lives as long as this does, however often one waits in vain.
pub(super) struct Wait {
    one: Arc<One>,
    number: Option<u64>,
}

impl Wait {
    /// Calls once when the future has ended, at once if it has, unless this is dropped before.
    pub fn new(one: &Arc<One>, waiter: impl FnOnce(Result<(), Failure>) + Send + 'static) -> Self {
        Self { one: one.clone(), number: one.batch.on_end(one.index, Box::new(waiter)) }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.one.batch.end_wait(self.one.index, number);
        }
    }
}

type Waiter = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// What was submitted together.
pub(crate) struct Batch {
    pub run: RunEach,
    client: Client,
    wanted: Vec<Key>,
    /// What it takes to make the results.
    pub lineage: Arc<Lineage>,
    origin: Origin,
    waiters: Mutex<Waiters>,
    /// Futures that are not dropped.
    alive: AtomicUsize,
    dropped: Mutex<Vec<usize>>,
}

/// Who is to be told of ends.
struct Waiters {
    /// By key, and by number in the order in which they came.
    waiting: HashMap<usize, BTreeMap<u64, Waiter>>,
    next: u64,
    /// Keys whose end was told. One that is made again, because its chunk was lost, has been told and is told no more.
    told: Vec<bool>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Batch {
    /// Submits a graph; its wanted keys are the futures. The parents are of what it reads without containing it.
    pub fn submit(client: &Client, graph: Graph, parents: Vec<Arc<Lineage>>, origin: Origin) -> Result<Arc<Batch>, Failure> {
        let lineage = Lineage::of(&graph, parents);
        let wanted = graph.wanted.clone();
        let run = client.submit_each(graph)?;
        let alive = AtomicUsize::new(wanted.len());
        let waiters = Mutex::new(Waiters { waiting: HashMap::new(), next: 0, told: vec![false; wanted.len()] });
        let dropped = Mutex::default();
        let batch = Arc::new(Batch { run, client: client.clone(), wanted, lineage, origin, waiters, alive, dropped });
        let told: Weak<Batch> = Arc::downgrade(&batch);
        batch.run.on_key_end(Box::new(move |index, outcome| {
            if let Some(batch) = told.upgrade() {
                batch.ended(index, outcome);
            }
        }));
        Ok(batch)
    }

    /// The futures of all keys, in order.
    pub fn futures<T>(self: &Arc<Self>) -> Vec<DFuture<T>> {
        (0..self.wanted.len()).map(|index| DFuture { one: Arc::new(One { batch: self.clone(), index }), value: PhantomData }).collect()
    }

    /// The engine that has the run.
    pub fn home(&self) -> usize {
        self.client.home()
    }

    fn ended(&self, index: usize, outcome: Result<(), Failure>) {
        let mut waiters = locked(&self.waiters);
        waiters.told[index] = true;
        let waiting = waiters.waiting.remove(&index).unwrap_or_default();
        drop(waiters);
        for waiter in waiting.into_values() {
            waiter(outcome.clone());
        }
    }

    /// Calls once when the key has ended, at once if it has. The waiter's number for as long as it waits.
    pub fn on_end(&self, index: usize, waiter: Waiter) -> Option<u64> {
        let mut waiters = locked(&self.waiters);
        if !waiters.told[index] {
            let number = waiters.next;
            waiters.next += 1;
            waiters.waiting.entry(index).or_default().insert(number, waiter);
            return Some(number);
        }
        drop(waiters);
        waiter(match self.run.status(index) {
            // Pending are those that are made again: they ended well.
            KeyStatus::Pending | KeyStatus::Done => Ok(()),
            KeyStatus::Failed(failure) => Err(failure),
            KeyStatus::Cancelled => Err(Failure::new(partita_graph::Code::Cancelled, "the call was cancelled")),
        });
        None
    }

    /// A waiter has no use for the end any more.
    fn end_wait(&self, index: usize, number: u64) {
        let mut waiters = locked(&self.waiters);
        let waiting = waiters.waiting.get_mut(&index);
        let gone = waiting.and_then(|waiting| waiting.remove(&number));
        // What it holds is dropped when the lock is free.
        drop(waiters);
        drop(gone);
    }

    /// How many are to be told of the end of a key.
    #[cfg(test)]
    pub fn waiters(&self, index: usize) -> usize {
        locked(&self.waiters).waiting.get(&index).map_or(0, BTreeMap::len)
    }

    /// A future was dropped. When many are, this is told in batches: at most a ninth of what is alive is kept a little longer.
    fn forget(&self, index: usize) {
        let alive = self.alive.fetch_sub(1, Ordering::AcqRel) - 1;
        // The run is let go with the last one.
        if alive == 0 {
            return;
        }
        let mut dropped = locked(&self.dropped);
        dropped.push(index);
        if dropped.len() > alive / 8 {
            let all = std::mem::take(&mut *dropped);
            drop(dropped);
            self.run.forget(&all);
        }
    }
}

impl<T> DFuture<T> {
    pub(crate) fn one(&self) -> &Arc<One> {
        &self.one
    }

    /// The call's key: what `story` and `explain_wait` take.
    pub fn key(&self) -> Key {
        self.one.key()
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        match self.one.batch.run.status(self.one.index) {
            KeyStatus::Pending => Status::Pending,
            KeyStatus::Done => Status::Finished,
            KeyStatus::Failed(_) => Status::Failed,
            KeyStatus::Cancelled => Status::Cancelled,
        }
    }

    /// Whether it has ended, well or not.
    pub fn done(&self) -> bool {
        self.status() != Status::Pending
    }

    /// How far the call says that it is, with `context.progress(done, total)`: how much of how much is done, in the call's own unit.
    /// `None` when it says nothing, has not begun or has ended.
    ///
    /// In process it is what the call said last; a cluster is asked, and knows what the worker told it in the last tenth of a second. The
    /// call does not notice whether anybody looks.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::{Error, Event, TaskContext, task};
    ///
    /// #[task]
    /// fn half_way(context: &TaskContext<'_>) -> Result<(), Error> {
    ///     context.progress(5, 10);
    ///     Event::new("seen")?.wait()
    /// }
    ///
    /// let client = Client::builder().threads(1).build()?;
    /// let future = client.submit(half_way, ())?;
    /// while future.progress()? != Some((5, 10)) {
    ///     std::thread::yield_now();
    /// }
    /// Event::new("seen")?.set()?;
    /// future.result()?;
    /// assert_eq!(future.progress()?, None);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The scheduler is gone (E0221).
    pub fn progress(&self) -> Result<Option<(u64, u64)>, Failure> {
        self.one.batch.run.told(self.one.index)
    }

    /// Stops the call, unless it has ended or another call needs it. Waiting for it then fails with E0203.
    pub fn cancel(&self) {
        if !self.done() {
            self.one.batch.run.forget(&[self.one.index]);
        }
    }

    /// Lets the result go, whether it is there or not. Waiting for it then fails with E0203.
    pub(super) fn forget(&self) {
        self.one.batch.run.forget(&[self.one.index]);
    }

    /// Why it failed; `None` when it ended well. Blocks until it has ended.
    pub fn exception(&self) -> Option<Failure> {
        self.one.batch.run.wait_stored(self.one.index).err()
    }

    /// Calls a function once when the future has ended, at once if it has. The function must not block. When it panics that is printed,
    /// and touches nobody else.
    pub fn add_done_callback(&self, callback: impl FnOnce(&DFuture<T>) + Send + 'static)
    where
        T: 'static,
    {
        let future = self.clone();
        let call = move || {
            // It runs in a thread that has other futures to tell of their ends.
            if catch_unwind(AssertUnwindSafe(|| callback(&future))).is_err() {
                eprintln!("warning: a callback of future {} panicked", future.key());
            }
        };
        self.one.batch.on_end(self.one.index, Box::new(move |_| call()));
    }

    /// The future as what a call reads.
    pub(crate) fn node(&self) -> Arc<Node> {
        Node::new(What::Known(Known::of_future(&self.one)), self.one.batch.origin.clone())
    }

    /// The line that submitted it.
    pub fn origin(&self) -> &Origin {
        &self.one.batch.origin
    }
}

impl<T: TaskValue> DFuture<T> {
    /// Waits for the result. Blocks.
    ///
    /// # Errors
    /// The function's own error with its chain of causes (E0301), a panic (E0202), cancelled (E0203), worker or scheduler lost.
    pub fn result(&self) -> Result<T, Failure> {
        value_in(&self.chunk()?)
    }

    pub(crate) fn chunk(&self) -> Result<Chunk, Failure> {
        self.one.batch.run.wait_key(self.one.index)
    }

    /// Makes the call again, with whatever it needs that is not there; a new future. This one keeps its failure, and so do others that
    /// failed for the same reason; but while another client holds such a future the failure is handed out once more.
    ///
    /// # Errors
    /// As submitting.
    pub fn retry(&self) -> Result<DFuture<T>, Failure> {
        let batch = &self.one.batch;
        // A failure is a result as others are, and is handed out again for as long as anybody holds it.
        if let KeyStatus::Failed(failure) = batch.run.status(self.one.index) {
            batch.client.forget_failure(&failure);
        }
        let mut graph = batch.lineage.graph();
        graph.wanted = vec![self.key()];
        let again = Batch::submit(&batch.client, graph, Vec::new(), batch.origin.clone())?;
        again.futures().pop().ok_or_else(super::lost_result)
    }

    /// Runs the failed call, and all that it needs, in this thread: for a debugger, with breakpoints in the function.
    ///
    /// # Errors
    /// What the call fails with here.
    pub fn recreate_locally(&self) -> Result<T, Failure> {
        let mut graph = self.one.batch.lineage.graph();
        graph.wanted = vec![self.key()];
        let serial = partita_graph::Serial::new(crate::operators::registry());
        let chunks = serial.submit(graph)?.wait()?;
        value_in(chunks.first().ok_or_else(super::lost_result)?)
    }
}

impl<T: TaskValue> IntoFuture for DFuture<T> {
    type Output = Result<T, Failure>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Waits without blocking the thread, also while a large result is brought from a cluster's worker.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (sender, receiver) = futures_channel::oneshot::channel();
            let waits = Wait::new(&self.one, move |outcome| drop(sender.send(outcome)));
            heard(receiver).await.map_err(|_| super::lost_result())??;
            drop(waits);
            if self.one.batch.run.is_at_hand(self.one.index) {
                return self.result();
            }
            aside(move || self.result()).await
        })
    }
}

impl<T: TaskValue> IntoFuture for &DFuture<T> {
    type Output = Result<T, Failure>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        self.clone().into_future()
    }
}
