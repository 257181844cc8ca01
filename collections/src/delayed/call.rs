//! A user's function as an operator: what `#[task]` expands to stands on this.
//!
//! It refuses to know graphs. Invariants: arguments come in the order of the parameters; one that cannot be decoded names the
//! function and the parameter; whatever error a function returns, its chain of causes is kept as data.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::marker::PhantomData;
use std::panic::{Location, resume_unwind};
use std::slice;
use std::sync::Arc;

use partita_graph::{Arg, Chunk, Code, Failure, NamedOperator, OpRef, Operator, OperatorEntry, TaskContext};
use polars::prelude::{DataFrame, Schema};
use serde::{Deserialize, Serialize};

use super::argument::Argument;
use super::elements::{self, OnEach};
use super::groups::Groups;
use super::node::new_token;
use super::places::Places;
use super::value::{Lent, TaskValue, chunk_from, lent, value_in};
use super::{Delayed, actor};
use crate::array::block_of;
use crate::array::lend::read_list;
use crate::array::meta::Place;

/// Causes of a cause that are kept.
const CAUSES: usize = 16;

/// A named function that runs as a task; implemented by `#[task]`.
pub trait Task: Copy + Send + Sync + 'static {
    /// Unique among all operators of a program: path and name of the function.
    const NAME: &'static str;
    /// Names of the parameters that take arguments.
    const PARAMETERS: &'static [&'static str];
    /// Whether the same arguments give the same result, so that two calls are one.
    const PURE: bool;
    /// What it gives.
    type Output: TaskValue;
    /// Takes the arguments and calls the function.
    fn call(context: &TaskContext<'_>, inputs: &mut Inputs<'_>) -> Result<Self::Output, Failure>;
    /// What it gave, in a chunk; of a tuple each value in one of its own.
    fn parts(output: Self::Output) -> Vec<Chunk> {
        vec![chunk_from(output)]
    }
}

/// A task that takes these arguments; implemented by `#[task]`.
pub trait TaskOf<Arguments>: Task {
    /// A function that takes the arguments and gives a [`Delayed`].
    type Call;
    /// That function; the calls are the line's.
    fn deferred(self, origin: &'static Location<'static>) -> Self::Call;
    /// The arguments in order.
    fn arguments(arguments: Arguments) -> Vec<Argument>;
}

/// Where one argument comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Slot {
    /// It is here, as postcard wrote it.
    Plain(Vec<u8>),
    /// The next chunk.
    Input,
    /// A list of the next so many chunks.
    Inputs(u32),
    /// A list of all chunks that are left.
    Rest,
    /// The next value in the task's own argument; the element at hand where a task calls for each.
    Own,
}

impl Slot {
    /// A value that all tasks are given.
    pub(crate) fn plain(value: &impl Serialize) -> Self {
        Slot::Plain(postcard::to_stdvec(value).expect("it is plain data"))
    }
}

/// For what a task calls its function.
#[derive(Serialize, Deserialize)]
enum Calls {
    /// For all that it is given, once.
    Once,
    /// For each group of the rows that it is given.
    ForGroups(Groups),
    /// At each place of the outer axes of the blocks that it is given.
    AtPlaces(Places),
    /// For each element of the block that it is given.
    ForElements,
    /// For each index of the block that it makes.
    ForIndices,
}

/// The operator of a call.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Call<F> {
    slots: Vec<Slot>,
    /// Tells calls apart that are not the same work although they look it.
    token: Option<u64>,
    /// For a call of an actor: the process that has the state. Its result is the function's outcome, so that a call that fails does
    /// not fail those that come after it.
    actor: Option<u64>,
    calls: Calls,
    #[serde(skip)]
    task: PhantomData<fn() -> F>,
}

impl<F: Task> Call<F> {
    /// The operator with its line for plans.
    pub fn operator(slots: Vec<Slot>, token: Option<u64>) -> OpRef {
        Self { slots, token, actor: None, calls: Calls::Once, task: PhantomData }.labelled()
    }

    /// The operator of a task that calls often.
    fn often(slots: Vec<Slot>, token: Option<u64>, calls: Calls) -> OpRef {
        Self { slots, token, actor: None, calls, task: PhantomData }.labelled()
    }

    /// The operator of a call on an actor in this process.
    pub fn of_actor(slots: Vec<Slot>, token: u64, process: u64) -> OpRef {
        Self { slots, token: Some(token), actor: Some(process), calls: Calls::Once, task: PhantomData }.labelled()
    }

    /// What the function gives for these chunks.
    fn called(&self, ctx: &TaskContext<'_>, chunks: &[Chunk], own: Own<'_>) -> Result<F::Output, Failure> {
        let mut inputs = Inputs { slots: self.slots.iter(), chunks, own, function: F::NAME, parameters: F::PARAMETERS.iter() };
        F::call(ctx, &mut inputs).map_err(|failure| failure.detail("function", F::NAME))
    }

    /// The block of all that the function gives for many values, of this shape; `each` goes through them in row-major order.
    fn called_for_each(
        &self,
        ctx: &TaskContext<'_>,
        shape: &[usize],
        each: impl FnOnce(&mut OnEach<'_>) -> Result<(), Failure>,
    ) -> Result<Chunk, Failure> {
        let mut made = Vec::with_capacity(shape.iter().product());
        each(&mut |value: &dyn Any| {
            made.push(self.called(ctx, &[], Own::Value(value))?);
            Ok(())
        })?;
        elements::as_block(shape, made)
    }

    fn labelled(self) -> OpRef {
        OpRef::new(self, F::NAME.rsplit("::").next().unwrap_or(F::NAME))
    }
}

impl<F: Task> Operator for Call<F> {
    fn run(&self, ctx: &TaskContext<'_>, chunks: &[Chunk]) -> Result<Chunk, Failure> {
        let own = match ctx.arg {
            Some(Arg::Bytes(bytes)) => Own::Bytes(bytes),
            Some(Arg::Chunk { .. }) => return Err(Failure::internal("a call's own argument is a chunk")),
            None => Own::Bytes(&[]),
        };
        let once = |chunks: &[Chunk]| self.called(ctx, chunks, own);
        if let Some(process) = self.actor {
            let token = self.token.unwrap_or_default();
            return Ok(chunk_from(actor::outcome(process, token, || once(chunks))));
        }
        match &self.calls {
            Calls::Once => once(chunks).map(chunk_from),
            Calls::ForGroups(groups) => groups.each(ctx, chunks, |group| once(slice::from_ref(group)).map(chunk_from)),
            Calls::AtPlaces(places) => places.each(ctx, chunks, &|cores| once(cores).map(F::parts)),
            Calls::ForElements => {
                let block = chunks.first().map(block_of).ok_or_else(|| Failure::internal("a call for elements without a block"))??;
                self.called_for_each(ctx, block.shape(), |call| elements::each_element(ctx, block, call))
            }
            Calls::ForIndices => {
                let place: Place = ctx.arg()?.decode()?;
                self.called_for_each(ctx, &place.shape, |call| elements::each_index(ctx, &place, call))
            }
        }
    }
}

impl<F: Task> NamedOperator for Call<F> {
    const NAME: &'static str = F::NAME;
}

/// What a call has of its own, besides chunks.
#[derive(Clone, Copy)]
enum Own<'a> {
    /// Values one behind the other, as postcard wrote them.
    Bytes(&'a [u8]),
    /// The element at hand.
    Value(&'a dyn Any),
}

/// The arguments of a call, taken one after the other.
pub struct Inputs<'a> {
    slots: slice::Iter<'a, Slot>,
    chunks: &'a [Chunk],
    own: Own<'a>,
    function: &'static str,
    parameters: slice::Iter<'static, &'static str>,
}

impl Inputs<'_> {
    /// The next argument, by value.
    ///
    /// # Errors
    /// It is of another type, or damaged.
    pub fn take<T: TaskValue>(&mut self) -> Result<T, Failure> {
        self.next(|inputs, slot| match slot {
            Slot::Input => value_in(inputs.chunk()?),
            other => inputs.made(other),
        })
    }

    /// The next argument, by reference: a chunk is not copied.
    ///
    /// # Errors
    /// As [`Inputs::take`].
    pub fn lend<T: TaskValue>(&mut self) -> Result<Lent<T>, Failure> {
        self.next(|inputs, slot| match slot {
            Slot::Input => lent(inputs.chunk()?),
            other => inputs.made(other).map(|value: T| Lent::Shared(Arc::new(value))),
        })
    }

    fn next<R>(&mut self, read: impl FnOnce(&mut Self, &Slot) -> Result<R, Failure>) -> Result<R, Failure> {
        let parameter = self.parameters.next().copied().unwrap_or("?");
        let slot = self.slots.next().ok_or_else(|| Failure::internal("a call with fewer arguments than parameters"));
        let read = slot.and_then(|slot| read(self, slot));
        read.map_err(|failure| failure.detail("parameter", format!("`{parameter}` of {}", self.function)))
    }

    fn chunk(&mut self) -> Result<&Chunk, Failure> {
        let (first, rest) = self.chunks.split_first().ok_or_else(|| Failure::internal("a call with fewer inputs than it reads"))?;
        self.chunks = rest;
        Ok(first)
    }

    /// A value that is no chunk.
    fn made<T: TaskValue>(&mut self, slot: &Slot) -> Result<T, Failure> {
        let damaged = |e: postcard::Error| Failure::internal(format!("an argument does not decode: {e}"));
        match slot {
            Slot::Plain(bytes) => postcard::from_bytes(bytes).map_err(damaged),
            Slot::Own => match self.own {
                Own::Bytes(bytes) => {
                    let (value, rest) = postcard::take_from_bytes(bytes).map_err(damaged)?;
                    self.own = Own::Bytes(rest);
                    Ok(value)
                }
                Own::Value(value) => {
                    value.downcast_ref::<T>().cloned().ok_or_else(|| Failure::internal("an element of another kind than its task takes"))
                }
            },
            Slot::Inputs(count) => {
                let mid = *count as usize;
                let (list, rest) =
                    self.chunks.split_at_checked(mid).ok_or_else(|| Failure::internal("a call with fewer inputs than it reads"))?;
                self.chunks = rest;
                listed(list)
            }
            Slot::Rest => listed(std::mem::take(&mut self.chunks)),
            Slot::Input => value_in(self.chunk()?),
        }
    }
}

/// The operator of a call that is given these.
pub(crate) fn given<F: Task>(slots: Vec<Slot>) -> OpRef {
    Call::<F>::operator(slots, token_of::<F>())
}

/// The operator of a call whose only argument is the next chunk.
pub(crate) fn on_chunk<F: Task>() -> OpRef {
    given::<F>(vec![Slot::Input])
}

/// The operator of a call whose only argument is a list of all chunks.
pub(super) fn on_chunks<F: Task>() -> OpRef {
    given::<F>(vec![Slot::Rest])
}

/// The operator that calls a function with the rows of each group and puts the frames that it gives below each other.
pub(crate) fn on_groups<F: Task>(keys: Vec<String>, schema: Schema) -> OpRef {
    Call::<F>::often(vec![Slot::Input], token_of::<F>(), Calls::ForGroups(Groups { keys, schema }))
}

/// The operator that calls a function at each place of the outer axes of blocks, with one block for each of its arguments. Operators of one
/// token, see [`token_of`], are the same work when the rest is the same.
pub(crate) fn at_places<F: Task>(places: Places, token: Option<u64>) -> OpRef {
    Call::<F>::often(vec![Slot::Input; places.inputs.cores().len()], token, Calls::AtPlaces(places))
}

/// The operator that calls a function with each element of a block.
pub(crate) fn on_elements<F: Task>() -> OpRef {
    Call::<F>::often(vec![Slot::Own], token_of::<F>(), Calls::ForElements)
}

/// The operator that calls a function with each index of the block at the [`Place`] that is the task's argument.
pub(crate) fn on_indices<F: Task>() -> OpRef {
    Call::<F>::often(vec![Slot::Own], token_of::<F>(), Calls::ForIndices)
}

/// Calls of functions that are not pure are all different.
pub(crate) fn token_of<F: Task>() -> Option<u64> {
    (!F::PURE).then(new_token)
}

/// A list of the values in these chunks. `T` is a list, though the type system does not know of what: a list is written as its
/// length and its items, so it is put together from what the items are written as.
fn listed<T: TaskValue>(chunks: &[Chunk]) -> Result<T, Failure> {
    if (&None::<T> as &dyn Any).is::<Option<Vec<DataFrame>>>() {
        let frames = chunks.iter().map(value_in).collect::<Result<Vec<DataFrame>, _>>()?;
        let mut frames = Some(frames);
        let frames = (&mut frames as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take);
        return frames.ok_or_else(|| Failure::internal("a list of frames changed its type"));
    }
    if let Some(arrays) = read_list(chunks) {
        return arrays;
    }
    let mut bytes = postcard::to_stdvec(&chunks.len()).map_err(|e| Failure::internal(format!("a number: {e}")))?;
    for chunk in chunks {
        let encoded = chunk.0.encode()?;
        let item = encoded.buffers.first().ok_or_else(|| Failure::internal("a value without bytes"))?;
        bytes.extend_from_slice((**item).as_ref());
    }
    postcard::from_bytes(&bytes).map_err(|e| Failure::internal(format!("a list of results does not decode: {e}")))
}

/// Runs the future of an asynchronous function in the thread of its task. While it awaits a future of the cluster the task's slot is
/// another's; when nobody wants the task any more it ends at the next await.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match partita_io::blocking::drive(partita_local::driven_inside(future)) {
        Ok(output) => output,
        // Whoever runs the task takes it for the task's failure.
        Err(failure) => resume_unwind(Box::new(failure)),
    }
}

/// The result of a function that may fail, with its error and what caused it as data.
///
/// # Errors
/// The function's own error; a [`Failure`] stays as it is.
pub fn outcome_of<T, E: Into<Box<dyn Error + Send + Sync>>>(result: Result<T, E>) -> Result<T, Failure> {
    result.map_err(|error| match error.into().downcast::<Failure>() {
        Ok(failure) => *failure,
        Err(error) => told(&*error, CAUSES),
    })
}

fn told(error: &(dyn Error + 'static), left: usize) -> Failure {
    let failure = user_failure(error);
    match error.source().filter(|_| left > 0) {
        Some(source) => failure.cause(told(source, left - 1)),
        None => failure,
    }
}

fn user_failure(error: &dyn Display) -> Failure {
    Failure::new(Code::UserFunction, error.to_string())
}

/// One function that this program contains.
pub struct TaskEntry(pub(super) OperatorEntry);

impl TaskEntry {
    /// The entry of a task.
    pub const fn of<F: Task>() -> Self {
        Self(OperatorEntry::of::<Call<F>>())
    }
}

inventory::collect!(TaskEntry);

/// All functions with `#[task]` in this program.
pub(crate) fn entries() -> impl Iterator<Item = OperatorEntry> {
    inventory::iter::<TaskEntry>.into_iter().map(|entry| entry.0)
}

/// A call that is to be made.
pub fn deferred<F: Task>(task: F, arguments: Vec<Argument>, origin: &'static Location<'static>) -> Delayed<F::Output> {
    let _ = task;
    Delayed::of_call::<F>(arguments, origin)
}
