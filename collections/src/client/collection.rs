//! What a client computes, keeps and is asked about, whatever kind of collection it is.
//!
//! It refuses to plan and to run, which each kind does in its own files. Invariant: the keys that a collection tells are those with which its
//! computation ends, so that what is asked by a collection is asked of what runs.

#[cfg(feature = "cluster")]
use partita_graph::{Code, Graph, Run};
use partita_graph::{Executor, Failure, Key, Origin};
#[cfg(feature = "cluster")]
use polars::prelude::Schema;
#[cfg(feature = "cluster")]
use serde::{Deserialize, Serialize};

use super::Client;
#[cfg(feature = "cluster")]
use crate::array::Meta;
use crate::delayed::Computable;

/// Whatever has keys: frames, arrays, delayed values, futures, keys themselves, and lists of these. A cluster is asked about all of them in
/// the same way.
///
/// ```
/// use partita::prelude::*;
/// use partita::{Error, Keyed};
///
/// fn chunks(of: &impl Keyed) -> Result<usize, Error> {
///     Ok(of.keys()?.len())
/// }
///
/// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 3);
/// assert_eq!(chunks(&frame)?, 3);
/// assert_eq!(chunks(&DArray::arange(0, 6, 1, 3))?, 2);
/// assert_eq!(chunks(&frame.to_delayed()?)?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Keyed {
    /// The keys of its chunks, in order.
    ///
    /// # Errors
    /// A step that does not fit; an argument that cannot be sent.
    fn keys(&self) -> Result<Vec<Key>, Failure>;

    /// The keys by which this executor would compute it. A plan of arrays is made for the memory that there is for a task, so that an array has
    /// other keys on a client that has less, or once workers come that do. A client asks by these.
    ///
    /// # Errors
    /// As [`Keyed::keys`].
    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        let _ = executor;
        self.keys()
    }
}

impl Keyed for Key {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        Ok(vec![*self])
    }
}

impl<K: Keyed + ?Sized> Keyed for &K {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        (**self).keys()
    }

    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        (**self).keys_on(executor)
    }
}

impl<K: Keyed> Keyed for [K] {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        all(self, K::keys)
    }

    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        all(self, |one| one.keys_on(executor))
    }
}

/// The keys of all, in order.
fn all<K>(of: &[K], keys: impl Fn(&K) -> Result<Vec<Key>, Failure>) -> Result<Vec<Key>, Failure> {
    let mut all = Vec::with_capacity(of.len());
    for one in of {
        all.extend(keys(one)?);
    }
    Ok(all)
}

impl<K: Keyed> Keyed for Vec<K> {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        self.as_slice().keys()
    }

    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        self.as_slice().keys_on(executor)
    }
}

impl<K: Keyed, const N: usize> Keyed for [K; N] {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        self.as_slice().keys()
    }

    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        self.as_slice().keys_on(executor)
    }
}

/// A collection that is computed chunk by chunk and can be kept where it was made: a [`crate::DFrame`], a [`crate::DArray`] or a
/// [`crate::Delayed`].
pub trait Collection: Keyed + Computable + Sized {
    /// Runs it and keeps its chunks where they are made.
    #[doc(hidden)]
    fn keep(&self, executor: &dyn Executor, origin: Origin) -> Result<Self, Failure>;
    /// The run that keeps its chunks, if it is persisted.
    #[cfg(feature = "cluster")]
    #[doc(hidden)]
    fn kept(&self) -> Option<&Run>;
    /// What others need to know to use its chunks.
    #[cfg(feature = "cluster")]
    #[doc(hidden)]
    fn published(&self) -> Result<Published, Failure>;
    /// The collection that was published as this, whose chunks a run made: the graph's wanted keys.
    #[cfg(feature = "cluster")]
    #[doc(hidden)]
    fn found(published: Published, graph: Graph, run: Run, origin: Origin) -> Result<Self, Failure>;
}

/// What stands beside the chunks of a published collection.
#[cfg(feature = "cluster")]
#[doc(hidden)]
#[derive(Serialize, Deserialize)]
pub enum Published {
    /// They are partitions of a frame, which has so many rows and bytes, if that is known.
    Frame(Schema, Option<(u64, u64)>),
    /// They are blocks of an array.
    Array(Meta),
    /// It is one, the result of a call.
    Value,
}

#[cfg(feature = "cluster")]
impl Published {
    /// The failure of somebody who asked for another kind.
    pub fn is_not(&self, asked: &str, origin: &Origin) -> Failure {
        let (what, kind) = match self {
            Published::Frame(..) => ("a frame".to_owned(), "DFrame".to_owned()),
            Published::Array(meta) => (format!("an array of {}", meta.dtype), format!("DArray<{}>", meta.dtype)),
            Published::Value => ("a delayed value".to_owned(), "Delayed<…>".to_owned()),
        };
        Failure::new(Code::TypeMismatch, format!("the dataset is {what}, and {asked} was asked for"))
            .help(format!("client.get_dataset::<{kind}>(…)?"))
            .origin(Some(origin))
    }
}

impl Client {
    /// Runs a frame, an array or a delayed value here, or several at once as a tuple or a list, and returns what came out.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let client = Client::builder().threads(2).set_as_default(false).build()?;
    /// let (frame, array) = (DFrame::from_polars(df!("x" => [1, 2])?, 2), DArray::arange(0, 6, 1, 2));
    /// assert_eq!(client.compute(&frame.sum())?, df!("x" => [3])?);
    /// let (rows, elements) = client.compute(&(frame, array))?;
    /// assert_eq!((rows.height(), elements.len()), (2, 6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`crate::DFrame::compute`].
    pub fn compute<C: Computable + ?Sized>(&self, what: &C) -> Result<C::Output, Failure> {
        what.computed_on(self)
    }

    /// Runs a frame, an array or a delayed value here and keeps its chunks where they were made, for as long as what this returns lives, or
    /// something made of it.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let client = Client::builder().threads(2).set_as_default(false).build()?;
    /// let kept = client.persist(&DArray::arange(0, 6, 1, 2))?;
    /// assert_eq!(client.compute(&(&kept + 1))?.sum(), 21);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`crate::DFrame::compute`].
    #[track_caller]
    pub fn persist<C: Collection>(&self, what: &C) -> Result<C, Failure> {
        what.keep(self, Origin::here(".persist()"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use partita_graph::{Graph, Run, RunEach, Serial};

    use super::*;
    use crate::delayed::compute::compute_on;
    use crate::{DArray, DFrame};

    /// An executor that has so much memory, and notes what was wanted of it last.
    struct Noting {
        serial: Serial,
        memory_per_thread: Option<u64>,
        wanted: Mutex<Vec<Key>>,
    }

    impl Noting {
        fn with(memory_per_thread: Option<u64>) -> Self {
            Self { serial: Serial::new(crate::operator_registry()), memory_per_thread, wanted: Mutex::default() }
        }

        fn wanted(&self) -> Vec<Key> {
            self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl Executor for Noting {
        fn memory_per_thread(&self) -> Option<u64> {
            self.memory_per_thread
        }

        fn threads(&self) -> usize {
            1
        }

        fn submit(&self, graph: Graph) -> Result<Run, Failure> {
            self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&graph.wanted);
            self.serial.submit(graph)
        }

        fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
            self.serial.submit_each(graph)
        }
    }

    /// Six blocks of which a task reads all, where it may, for six elements: 4.8 MB.
    #[test]
    fn keys_are_those_by_which_an_executor_computes_whatever_its_memory() {
        let array = DArray::<f64>::ones([600_000], 100_000).take([599_999, 7, 300_000, 100_001, 450_000, 299_999], 0);
        let frame = DFrame::from_darray(&array, &["x"]).sum();
        let block = array.to_delayed().expect("one block")[[0]].clone();
        let through = DFrame::from_darray(&array, &["x"]).to_darray() + 1.0;
        let told = |executor: &Noting| {
            let mut all = Vec::new();
            let mut agree = |computed: Result<(), Failure>, keys: Result<Vec<Key>, Failure>| {
                computed.expect("it runs");
                all.push(keys.expect("it is planned"));
                assert_eq!(all.last(), Some(&executor.wanted()));
            };
            agree(array.compute_on(executor).map(drop), array.keys_on(executor));
            agree(array.persist_on(executor).map(drop), array.keys_on(executor));
            agree(frame.compute_on(executor).map(drop), frame.keys_on(executor));
            agree(block.compute_on(executor).map(drop), block.keys_on(executor));
            agree(block.persist_on(executor).map(drop), block.keys_on(executor));
            agree(through.compute_on(executor).map(drop), through.keys_on(executor));
            // Of several at once those that read others are other tasks than alone.
            agree(compute_on(executor, &vec![&through]).map(drop), [&through].keys_on(executor));
            all
        };
        let (small, large) = (told(&Noting::with(Some(1))), told(&Noting::with(None)));
        assert!(small.iter().zip(&large).all(|(small, large)| small != large), "the plans differ, or it shows nothing");
    }
}
