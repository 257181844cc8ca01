//! Waiting for many futures: all of them, the first, each as it ends.
//!
//! It refuses to poll. Invariant: what is waited for costs in proportion to the number of futures, however they end.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use partita_graph::{Chunk, Failure};

use super::future::{Batch, DFuture, Wait};
use super::value::{TaskValue, value_in};
use crate::client::mailbox::{Mailbox, Next};

/// The results in the order of the futures; the first failure in that order is the failure of all. Blocks.
///
/// ```
/// use partita::prelude::*;
/// use partita::{gather, task};
///
/// #[task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// let client = Client::builder().threads(2).build()?;
/// let squares = client.map(square, 0..100i64)?;
/// assert_eq!(gather(&squares)?.iter().sum::<i64>(), 328_350);
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// As [`DFuture::result`].
pub fn gather<T: TaskValue>(futures: &[DFuture<T>]) -> Result<Vec<T>, Failure> {
    gather_each(futures).into_iter().collect()
}

/// What became of each future, in their order: failures are kept beside results. Blocks.
pub fn gather_each<T: TaskValue>(futures: &[DFuture<T>]) -> Vec<Result<T, Failure>> {
    // What was submitted together is brought together.
    let mut batches: HashMap<*const Batch, Together<'_>> = HashMap::new();
    for (place, future) in futures.iter().enumerate() {
        let one = future.one();
        let together = batches.entry(Arc::as_ptr(&one.batch));
        let together = together.or_insert_with(|| Together { batch: &one.batch, places: Vec::new(), indices: Vec::new() });
        together.places.push(place);
        together.indices.push(one.index);
    }
    let mut chunks: Vec<Option<Result<Chunk, Failure>>> = vec![None; futures.len()];
    for Together { batch, places, indices } in batches.into_values() {
        for (place, chunk) in places.into_iter().zip(batch.run.wait_keys(&indices)) {
            chunks[place] = Some(chunk);
        }
    }
    chunks.into_iter().map(|chunk| value_in(&chunk.unwrap_or_else(|| Err(super::lost_result()))?)).collect()
}

/// Futures that were submitted together.
struct Together<'a> {
    batch: &'a Arc<Batch>,
    /// Where they stand among those that are asked for.
    places: Vec<usize>,
    /// Where they stand in what was submitted.
    indices: Vec<usize>,
}

/// Until when [`wait`] waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// All have ended.
    All,
    /// One has ended.
    First,
    /// One has failed, or all have ended.
    FirstFailure,
}

/// Places of futures by how they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// Those that have ended, in the order in which they were given.
    pub done: Vec<usize>,
    /// The others.
    pub not_done: Vec<usize>,
}

/// Waits until all, or the first, of the futures have ended. Their failures are theirs. Blocks.
pub fn wait<T: TaskValue>(futures: &[DFuture<T>], until: Until) -> Waited {
    match until {
        Until::All => as_completed(futures).for_each(drop),
        Until::First => drop(as_completed(futures).next()),
        Until::FirstFailure => drop(as_completed(futures).find(|(place, _)| futures[*place].exception().is_some())),
    }
    let (done, not_done) = (0..futures.len()).partition(|place| futures[*place].done());
    Waited { done, not_done }
}

/// The futures in the order in which they end, each with its place among those given. An iterator that blocks, and a stream that
/// does not ([`AsCompleted::stream`]). What was handed out is not held any more. Inside a task that is cancelled while it waits here,
/// the task ends.
pub fn as_completed<T: TaskValue>(futures: &[DFuture<T>]) -> AsCompleted<T> {
    let mut completed = AsCompleted { left: HashMap::with_capacity(futures.len()), added: 0, ended: Mailbox::new() };
    for future in futures {
        completed.put(future);
    }
    completed
}

/// See [`as_completed`].
pub struct AsCompleted<T> {
    /// Those that were not handed out, by place.
    left: HashMap<usize, (DFuture<T>, Wait)>,
    /// How many there ever were.
    added: usize,
    /// Places of those that have ended and were not handed out.
    ended: Mailbox<usize>,
}

impl<T> AsCompleted<T> {
    fn put(&mut self, future: &DFuture<T>) -> usize {
        let (place, ended) = (self.added, self.ended.clone());
        self.added += 1;
        self.left.insert(place, (future.clone(), Wait::new(future.one(), move |_| ended.put(place))));
        place
    }
}

impl<T: TaskValue> AsCompleted<T> {
    /// Adds a future while others end, and gives its place: so a graph grows as results come.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::{as_completed, task};
    ///
    /// #[task]
    /// fn half(x: u64) -> u64 {
    ///     x / 2
    /// }
    ///
    /// let client = Client::builder().threads(2).build()?;
    /// let mut ended = as_completed(&client.map(half, [40u64, 9])?);
    /// let mut ones = 0;
    /// while let Some((_, future)) = ended.next() {
    ///     match future.result()? {
    ///         1 => ones += 1,
    ///         x => drop(ended.add(&client.submit(half, (x,))?)),
    ///     }
    /// }
    /// assert_eq!(ones, 2);
    /// # Ok::<(), partita::Error>(())
    /// ```
    pub fn add(&mut self, future: &DFuture<T>) -> usize {
        self.put(future)
    }

    /// The same as a stream, for `async` code; it goes on where the iterator is. Results are read there with `future.await`, which blocks no
    /// thread.
    pub fn stream(self) -> Completions<T> {
        Completions(self)
    }

    fn hand_out(&mut self, place: usize) -> (usize, DFuture<T>) {
        let (future, _) = self.left.remove(&place).expect("each place comes once");
        (place, future)
    }
}

impl<T: TaskValue> Iterator for AsCompleted<T> {
    type Item = (usize, DFuture<T>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        match self.ended.wait_or_end(None) {
            Next::Came(place) => Some(self.hand_out(place)),
            Next::Late | Next::Closed => None,
        }
    }
}

/// Futures as a stream, in the order in which they end.
pub struct Completions<T>(AsCompleted<T>);

impl<T: TaskValue> Stream for Completions<T> {
    type Item = (usize, DFuture<T>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.0.left.is_empty() {
            return Poll::Ready(None);
        }
        self.0.ended.poll(context).map(|next| match next {
            Next::Came(place) => Some(self.0.hand_out(place)),
            Next::Late | Next::Closed => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::delayed::delayed_fn;
    use std::sync::{Mutex, mpsc};

    #[test]
    fn neither_what_was_handed_out_nor_who_waited_in_vain_is_kept() {
        let client = Client::builder().threads(1).set_as_default(false).build().expect("a local engine starts");
        let (go, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let first = client.start(&delayed_fn(|| Ok(1i64))).expect("sound");
        let held = Arc::downgrade(first.one());
        let slow = client.start(&delayed_fn(move || Ok(i64::from(gate.lock().expect("no panic").recv().is_ok())))).expect("sound");
        let mut ended = as_completed(&[first, slow.clone()]);
        assert_eq!(ended.next().map(|(place, _)| place), Some(0));
        assert!(held.upgrade().is_none(), "it was handed out");
        let one = slow.one();
        assert_eq!(one.batch.waiters(one.index), 1);
        for _ in 0..10 {
            drop(as_completed(std::slice::from_ref(&slow)));
        }
        assert_eq!(one.batch.waiters(one.index), 1, "nobody listens to the others");
        go.send(()).expect("it waits for that");
        assert_eq!(ended.map(|(place, future)| (place, future.result().expect("sound"))).collect::<Vec<_>>(), [(1, 1)]);
    }
}
