//! What a call is given: plain values, results of other calls, lists of them, frames.
//!
//! It refuses to run anything. Invariant: an argument is encoded when the call is written, so that what cannot be sent is refused
//! there and not in a worker.

use std::sync::Arc;

use partita_graph::{Chunk, Failure};
use polars::prelude::DataFrame;

use super::Delayed;
use super::future::DFuture;
use super::node::Node;
use super::value::{TaskValue, chunk_from, not_encodable};
use crate::array::AnyArray;
use crate::frame::{DFrame, ops};

/// Plain values of more bytes than this are chunks of their own, which travel once however many calls read them.
const PLAIN: usize = 64 << 10;

/// An argument of a call; made by [`IntoArgument`].
pub struct Argument(pub(super) Given);

/// The kinds of argument.
#[derive(Clone)]
pub(super) enum Given {
    /// The value as postcard writes it.
    Plain(Vec<u8>),
    /// A value that is a chunk of its own; the token stands for its content.
    Chunk { token: u64, chunk: Chunk },
    /// The result of another call.
    Node(Arc<Node>),
    /// A list of results.
    Nodes(Vec<Arc<Node>>),
    /// All rows of a frame.
    Frame(DFrame),
    /// All elements of an array.
    Array(AnyArray),
    /// It cannot be an argument, and why.
    Broken(Failure),
}

/// What may stand where a task takes a `T`: a `T`, a reference to one, a [`Delayed`] or [`DFuture`] of one; for a `Vec<T>` also a
/// list of delayed values or futures; for a `DataFrame` also a [`DFrame`], for an ndarray and an [`crate::ArrayBlock`] also a
/// [`crate::DArray`].
pub trait IntoArgument<T> {
    /// The argument.
    fn into_argument(self) -> Argument;
}

impl<T: TaskValue> IntoArgument<T> for T {
    fn into_argument(self) -> Argument {
        let is_frame = (&self as &dyn std::any::Any).is::<DataFrame>();
        if is_frame {
            return Argument(Given::Chunk { token: ops::token(), chunk: chunk_from(self) });
        }
        Argument(match postcard::to_stdvec(&self) {
            // Its content is its identity: the same large value in two calls is one chunk.
            Ok(bytes) if bytes.len() > PLAIN => Given::Chunk { token: xxhash_rust::xxh3::xxh3_64(&bytes), chunk: chunk_from(self) },
            Ok(bytes) => Given::Plain(bytes),
            Err(e) => Given::Broken(not_encodable::<T>(&e)),
        })
    }
}

impl<T: TaskValue> IntoArgument<T> for &T {
    fn into_argument(self) -> Argument {
        self.clone().into_argument()
    }
}

impl IntoArgument<String> for &str {
    fn into_argument(self) -> Argument {
        self.to_owned().into_argument()
    }
}

impl<T: TaskValue> IntoArgument<T> for Delayed<T> {
    fn into_argument(self) -> Argument {
        Argument(Given::Node(self.node))
    }
}

impl<T: TaskValue> IntoArgument<T> for &Delayed<T> {
    fn into_argument(self) -> Argument {
        Argument(Given::Node(self.node.clone()))
    }
}

impl<T: TaskValue> IntoArgument<T> for DFuture<T> {
    fn into_argument(self) -> Argument {
        Argument(Given::Node(self.node()))
    }
}

impl<T: TaskValue> IntoArgument<T> for &DFuture<T> {
    fn into_argument(self) -> Argument {
        Argument(Given::Node(self.node()))
    }
}

impl<T: TaskValue> IntoArgument<Vec<T>> for Vec<Delayed<T>> {
    fn into_argument(self) -> Argument {
        (&self[..]).into_argument()
    }
}

impl<T: TaskValue> IntoArgument<Vec<T>> for &[Delayed<T>] {
    fn into_argument(self) -> Argument {
        Argument(Given::Nodes(self.iter().map(|delayed| delayed.node.clone()).collect()))
    }
}

impl<T: TaskValue> IntoArgument<Vec<T>> for &Vec<Delayed<T>> {
    fn into_argument(self) -> Argument {
        (&self[..]).into_argument()
    }
}

impl<T: TaskValue> IntoArgument<Vec<T>> for Vec<DFuture<T>> {
    fn into_argument(self) -> Argument {
        (&self[..]).into_argument()
    }
}

impl<T: TaskValue> IntoArgument<Vec<T>> for &[DFuture<T>] {
    fn into_argument(self) -> Argument {
        Argument(Given::Nodes(self.iter().map(DFuture::node).collect()))
    }
}

impl<T: TaskValue> IntoArgument<Vec<T>> for &Vec<DFuture<T>> {
    fn into_argument(self) -> Argument {
        (&self[..]).into_argument()
    }
}

impl IntoArgument<DataFrame> for DFrame {
    fn into_argument(self) -> Argument {
        Argument(Given::Frame(self))
    }
}

impl IntoArgument<DataFrame> for &DFrame {
    fn into_argument(self) -> Argument {
        Argument(Given::Frame(self.clone()))
    }
}
