//! Delayed calls of user functions, and futures of them.
//!
//! A [`Delayed`] is a call that has not been made; a [`DFuture`] is one that is being made. Both are arguments of further calls, so
//! ordinary functions become a graph. It refuses to know where tasks run.
//!
//! Invariant: nothing runs before `compute`, `persist`, `submit` or `map`.

pub(crate) mod actor;
mod argument;
pub(crate) mod arrays;
pub(crate) mod call;
pub(crate) mod compute;
mod elements;
pub(crate) mod frames;
pub(crate) mod future;
mod gather;
mod groups;
mod kept;
mod lineage;
pub(crate) mod node;
pub(crate) mod places;
mod reduce;
pub(crate) mod state;
pub(crate) mod submit;
pub(crate) mod takes;
pub(crate) mod upload;
pub(crate) mod value;
mod versions;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use partita_graph::{Annotations, Chunk, Code, Executor, Failure, Graph, Milli, OpRef, Origin, TaskContext, optimize};

use argument::Given;
use call::{Call, Task, TaskOf};
use node::{Lowerer, MakeOperator, Node};
use value::{TaskValue, chunk_from, value_in};

pub use actor::{Actor, ActorFuture, ActorState};
pub use argument::IntoArgument;
pub use arrays::BlockValue;
pub use compute::{Computable, compute};
pub use future::{DFuture, Status};
pub use gather::{AsCompleted, Completions, Until, Waited, as_completed, gather, gather_each, wait};
pub use takes::MayTake;
pub use upload::uploaded;
pub use versions::{Environment, Versions};

use crate::array::budget::Budget;
use crate::client::ready::ready;
use crate::client::{Client, Collection};

/// What the macros expand to. Not for use by hand; it may change in any release.
#[doc(hidden)]
pub mod task_support {
    pub use super::argument::{Argument, IntoArgument};
    pub use super::call::{Inputs, Task, TaskEntry, TaskOf, block_on, deferred, outcome_of};
    pub use super::state::StateCell;
    pub use super::value::{Lent, TaskValue, chunk_from as part};
    pub use inventory;
    pub use partita_graph::Chunk as Part;
}

/// A call of a function that will be made when its result is asked for.
///
/// Cloning is cheap: clones are the same call, which is made once.
///
/// ```
/// use partita::prelude::*;
/// use partita::{delayed, task};
///
/// #[task]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// let three = delayed(add)(1, 2);
/// let six = delayed(add)(&three, &three);
/// assert_eq!(six.compute()?, 6);
/// # Ok::<(), partita::Error>(())
/// ```
pub struct Delayed<T> {
    pub(crate) node: Arc<Node>,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Delayed<T> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), value: PhantomData }
    }
}

/// Makes a function lazy: the result takes the function's arguments, each as a value, a reference, a [`Delayed`] or [`DFuture`] of it
/// (lists of these for a `Vec`, a [`crate::DFrame`] for a `DataFrame`, a [`crate::DArray`] for an ndarray), and gives a [`Delayed`].
///
/// The function is one with `#[task]`. Calls of pure functions with the same arguments are one call; write `#[task(pure = false)]`
/// for functions whose calls differ.
#[track_caller]
pub fn delayed<F: TaskOf<Arguments>, Arguments>(function: F) -> F::Call {
    function.deferred(Location::caller())
}

/// Makes a closure a call. Closures run in this process only; on a cluster they are refused with what to write instead.
///
/// ```
/// use partita::delayed_fn;
/// let offset = 40;
/// let answer = delayed_fn(move || Ok(offset + 2));
/// assert_eq!(answer.compute()?, 42);
/// # Ok::<(), partita::Error>(())
/// ```
#[track_caller]
pub fn delayed_fn<T: TaskValue>(function: impl Fn() -> Result<T, Failure> + Send + Sync + 'static) -> Delayed<T> {
    let token = node::new_token();
    let function = Arc::new(function);
    let operator: MakeOperator = Arc::new(move |_| {
        let function = function.clone();
        OpRef::closure("closure", token, move |_: &TaskContext<'_>, _: &[Chunk]| function().map(chunk_from))
    });
    Delayed::of(Node::call("closure", operator, Vec::new(), Location::caller()))
}

impl<T: TaskValue> Delayed<T> {
    pub(crate) fn of(node: Arc<Node>) -> Self {
        Self { node, value: PhantomData }
    }

    pub(crate) fn of_call<F: Task<Output = T>>(arguments: Vec<argument::Argument>, origin: &'static Location<'static>) -> Self {
        let token = (!F::PURE).then(node::new_token);
        let operator: MakeOperator = Arc::new(move |slots| Call::<F>::operator(slots, token));
        let arguments: Vec<Given> = arguments.into_iter().map(|argument| argument.0).collect();
        Self::of(Node::call(F::NAME, operator, arguments, origin))
    }

    /// Makes the call, with all that it needs, and gives its result. Blocks.
    ///
    /// # Errors
    /// A function's error, with its chain of causes (E0301); a panic (E0202); as [`Client::current`].
    pub fn compute(&self) -> Result<T, Failure> {
        self.compute_on(&Client::current()?)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`Delayed::compute`].
    pub fn compute_on(&self, executor: &dyn Executor) -> Result<T, Failure> {
        compute::compute_on(executor, self)
    }

    /// The same without blocking the thread.
    ///
    /// # Errors
    /// As [`Delayed::compute`].
    pub async fn compute_async(&self) -> Result<T, Failure> {
        compute::compute_async(&ready().await?, self).await
    }

    /// Makes the call now and keeps its result where it was made, for as long as the returned value or a call that reads it lives.
    ///
    /// # Errors
    /// As [`Delayed::compute`].
    pub fn persist(&self) -> Result<Delayed<T>, Failure> {
        self.persist_on(&Client::current()?)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`Delayed::compute`].
    pub fn persist_on(&self, executor: &dyn Executor) -> Result<Delayed<T>, Failure> {
        self.keep(executor, self.node.origin.clone())
    }

    /// The graph of the call, optimized: chains of calls are one task. Those of arrays hold no more than this; without it, than they may on the
    /// current client.
    fn graph(&self, budget: Option<Budget>) -> Result<Graph, Failure> {
        let mut lowerer = Lowerer::within(budget);
        let key = lowerer.node(&self.node)?;
        lowerer.lowering.graph.wanted.push(key);
        Ok(optimize::optimize(&lowerer.lowering.graph))
    }

    /// The layers that will run, as text.
    ///
    /// # Errors
    /// An argument that cannot be sent.
    pub fn explain(&self) -> Result<String, Failure> {
        Ok(self.graph(None)?.explain())
    }

    /// Draws the graph; the extension chooses the form: `.svg`, `.dot`, `.mmd` or `.html`.
    ///
    /// # Errors
    /// Another extension, or a file that cannot be written.
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        self.graph(None)?.visualize(path)
    }

    fn annotated(&self, change: impl FnOnce(&mut Annotations)) -> Self {
        Self::of(self.node.annotated(change))
    }

    /// Higher runs first. Default 0.
    pub fn priority(&self, priority: i32) -> Self {
        self.annotated(|wishes| wishes.priority = priority)
    }

    /// How often the call is made again when it fails. Default 0.
    pub fn retries(&self, retries: u32) -> Self {
        self.annotated(|wishes| wishes.retries = retries)
    }

    /// Names or hosts of the workers that may make the call. Default: all.
    pub fn workers<S: Into<String>>(&self, workers: impl IntoIterator<Item = S>) -> Self {
        let workers = workers.into_iter().map(Into::into).collect();
        self.annotated(|wishes| wishes.workers = workers)
    }

    /// What the call occupies while it is made, by name, of what workers offer with `--resources`, and this process with
    /// [`crate::ClientBuilder::resources`]. Where nobody has as much the call waits for who has, and the run says so.
    pub fn resources<S: Into<String>>(&self, resources: impl IntoIterator<Item = (S, f64)>) -> Self {
        let resources = in_thousandths(resources);
        self.annotated(|wishes| wishes.resources = resources)
    }

    /// The call is stopped and fails when it takes longer. Default: it may take as long as it likes.
    pub fn timeout(&self, timeout: Duration) -> Self {
        self.annotated(|wishes| wishes.timeout = Some(timeout.as_micros().min(u128::from(u64::MAX)) as u64))
    }

    /// The line that wrote the call.
    pub fn origin(&self) -> &Origin {
        &self.node.origin
    }

    /// The result in a chunk.
    pub(crate) fn read(chunk: &Chunk) -> Result<T, Failure> {
        value_in(chunk)
    }
}

/// Amounts of resources as the machines count them.
pub(crate) fn in_thousandths<S: Into<String>>(resources: impl IntoIterator<Item = (S, f64)>) -> BTreeMap<String, Milli> {
    resources.into_iter().map(|(name, amount)| (name.into(), (amount.max(0.0) * 1000.0).round() as Milli)).collect()
}

/// Why a result did not come although its run ended well.
fn lost_result() -> Failure {
    Failure::new(Code::Internal, "a run ended well without all of its results")
}
