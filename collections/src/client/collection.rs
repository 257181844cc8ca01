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
}

impl<K: Keyed> Keyed for [K] {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        let mut all = Vec::with_capacity(self.len());
        for one in self {
            all.extend(one.keys()?);
        }
        Ok(all)
    }
}

impl<K: Keyed> Keyed for Vec<K> {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        self.as_slice().keys()
    }
}

impl<K: Keyed, const N: usize> Keyed for [K; N] {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        self.as_slice().keys()
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
    /// They are partitions of a frame.
    Frame(Schema),
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
            Published::Frame(_) => ("a frame".to_owned(), "DFrame".to_owned()),
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
