//! Actors: state that lives on one worker and is changed by calls in order.
//!
//! It refuses to move or to restore state. Invariants: one call of an actor runs at a time, beside those that were cancelled while they ran,
//! in the order in which they were made through its handle, each at most once (of the last 65,536 of a process it is remembered that they
//! were made); when the worker's process is gone, every call fails and says so, and none works on a state that began anew.

use std::collections::{BTreeSet, VecDeque};
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use partita_graph::{Chunk, Code, Failure, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::argument::{Argument, Given};
use super::call::{Call, TaskOf};
use super::future::DFuture;
use super::node::{MakeOperator, Node, new_token};
use super::state::lock_inside;
use super::value::{TaskValue, chunk_from};
use super::{Delayed, Status};
use crate::client::Client;

/// Calls that may be under way at a time; a further one waits for the first of them.
const UNDER_WAY: usize = 64;
/// So many calls wait for each other in one chain; then all of them are waited for and another chain begins. Each of its links is kept for
/// as long as the chain goes on.
const LINKED: usize = 1024;

/// The state of an actor. It needs no serde, because it never leaves its worker: a model that learns, a file that is open, a
/// connection.
///
/// A function that makes an actor returns one; a function that is called on the actor takes it by reference.
pub struct ActorState<S>(Arc<Mutex<S>>);

impl<S> Clone for ActorState<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> ActorState<S> {
    /// This is the state.
    pub fn new(state: S) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// The state, for reading and changing. Calls of one actor never wait here for each other, but for one that was cancelled while it ran. A
    /// call that panicked may have left the state half changed; the next one sees it so.
    pub fn lock(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Serialize for ActorState<S> {
    fn serialize<Z: Serializer>(&self, _: Z) -> Result<Z::Ok, Z::Error> {
        Err(serde::ser::Error::custom("an actor's state does not leave its worker"))
    }
}

impl<'de, S> Deserialize<'de> for ActorState<S> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("an actor's state does not leave its worker"))
    }
}

/// A number that no other process has.
pub(super) static PROCESS: LazyLock<u64> = LazyLock::new(new_token);

/// A handle to an actor. Clones are the same actor; when the last one is dropped, the state is dropped too.
///
/// ```
/// use partita::prelude::*;
/// use partita::{ActorState, task};
///
/// #[task]
/// fn open(start: i64) -> ActorState<i64> {
///     ActorState::new(start)
/// }
///
/// #[task]
/// fn increase(counter: &ActorState<i64>, by: i64) -> i64 {
///     let mut value = counter.lock();
///     *value += by;
///     *value
/// }
///
/// let client = Client::builder().threads(2).build()?;
/// let counter = client.actor(open, (40,))?;
/// counter.call(increase, (1,))?;
/// assert_eq!(counter.call(increase, (1,))?.result()?, 42);
/// # Ok::<(), partita::Error>(())
/// ```
pub struct Actor<S> {
    inner: Arc<Inner<S>>,
}

impl<S> Clone for Actor<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<S> {
    client: Client,
    state: DFuture<ActorState<S>>,
    /// The worker that has the state.
    worker: Option<String>,
    /// Its process.
    process: u64,
    calls: Mutex<Calls>,
}

/// The calls that may not have ended.
#[derive(Default)]
struct Calls {
    /// The newest at the end.
    last: Vec<LastCall>,
    /// How many there are in the chain that the newest belongs to.
    linked: usize,
}

/// A call that may not have ended.
struct LastCall {
    node: Arc<Node>,
    wait: Box<dyn Fn() + Send>,
    ended: Box<dyn Fn() -> bool + Send>,
}

/// The result of a call of an actor.
pub struct ActorFuture<T>(DFuture<Result<T, Failure>>);

impl<T: TaskValue> ActorFuture<T> {
    /// Waits for the result. Blocks.
    ///
    /// # Errors
    /// The function's own; the actor is lost with its worker, or the call's result on it (E0236).
    pub fn result(&self) -> Result<T, Failure> {
        self.0.result().map_err(told_as_lost)?
    }

    /// Whether the call has ended, well or not.
    pub fn done(&self) -> bool {
        self.0.status() != Status::Pending
    }

    /// Why the call failed; `None` when it ended well. Blocks until it has ended.
    pub fn exception(&self) -> Option<Failure> {
        self.result().err()
    }

    /// Stops the call, unless it has ended or a later one of the actor waits for it: it is not made, or told to stop if it runs. Waiting for it
    /// then fails with E0203. Calls made after this do not wait for it.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl<T: TaskValue> IntoFuture for ActorFuture<T> {
    type Output = Result<T, Failure>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Waits without blocking the thread.
    fn into_future(self) -> Self::IntoFuture {
        let told = self.0.into_future();
        Box::pin(async move { told.await.map_err(told_as_lost)? })
    }
}

impl<T: TaskValue> IntoFuture for &ActorFuture<T> {
    type Output = Result<T, Failure>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        ActorFuture(self.0.clone()).into_future()
    }
}

impl Client {
    /// Makes an actor: calls the function on some worker, where its state stays. Blocks until that is done. When that worker dies while the
    /// handle lives the function may be called once more elsewhere, but no call works on what it makes then.
    ///
    /// # Errors
    /// As [`Client::submit`]; what the function fails with.
    #[track_caller]
    pub fn actor<F, Arguments, S>(&self, make: F, arguments: Arguments) -> Result<Actor<S>, Failure>
    where
        F: TaskOf<Arguments, Output = ActorState<S>>,
        S: Send + 'static,
    {
        let _ = make;
        let origin = Location::caller();
        let token = new_token();
        let operator: MakeOperator = Arc::new(move |slots| Call::<F>::operator(slots, Some(token)));
        let arguments = F::arguments(arguments).into_iter().map(|argument| argument.0).collect();
        let state: DFuture<ActorState<S>> = self.start(&Delayed::of(Node::call(F::NAME, operator, arguments, origin)))?;
        if let Some(failure) = state.exception() {
            return Err(failure);
        }
        let worker = self.holder(&state)?;
        // Asked where the state is: it could not be read elsewhere.
        let find: MakeOperator = Arc::new(move |_| OpRef::new(Whereabouts { token }, "whereabouts"));
        let found = pinned(Node::call("whereabouts", find, vec![Given::Node(state.node())], origin), worker.as_ref());
        let process = self.start(&Delayed::<u64>::of(found))?.result().map_err(told_as_lost)?;
        if self.holder(&state)? != worker {
            return Err(lost("its worker went while it was made"));
        }
        Ok(Actor { inner: Arc::new(Inner { client: self.clone(), state, worker, process, calls: Mutex::default() }) })
    }

    /// The worker that has a result; `None` in process.
    fn holder<T>(&self, future: &DFuture<T>) -> Result<Option<String>, Failure> {
        #[cfg(feature = "cluster")]
        if !self.is_local() {
            let held = self.who_has(&[future.key()])?;
            let name = held.into_iter().flat_map(|(_, names)| names).next();
            return name.map(Some).ok_or_else(|| lost("its worker went while it was made"));
        }
        let _ = future;
        Ok(None)
    }
}

/// A call that is made on this worker. When the worker is gone the call is to fail and not to wait for another of its name.
fn pinned(node: Arc<Node>, worker: Option<&String>) -> Arc<Node> {
    let Some(worker) = worker else { return node };
    node.annotated(|wishes| {
        wishes.workers = vec![worker.clone()];
        wishes.allow_other_workers = true;
    })
}

impl<S: Send + 'static> Actor<S> {
    /// Calls a function on the actor: its first parameter is the state, by reference. Calls run one after the other, in the order in
    /// which they are made; a call that fails leaves the others alone.
    ///
    /// # Errors
    /// As [`Client::submit`].
    #[track_caller]
    pub fn call<F, Arguments>(&self, function: F, arguments: Arguments) -> Result<ActorFuture<F::Output>, Failure>
    where
        F: CallOf<ActorState<S>, Arguments>,
    {
        let _ = function;
        let origin = Location::caller();
        let inner = &self.inner;
        let with_state = F::with_state(inner.state.clone(), arguments);
        let mut given: Vec<Given> = with_state.into_iter().map(|argument| argument.0).collect();
        let mut calls = lock_inside(&inner.calls)?;
        // Read after all others and looked at by nobody: the call before must have ended.
        given.extend(calls.before().map(Given::Node));
        let (token, process) = (new_token(), inner.process);
        let operator: MakeOperator = Arc::new(move |slots| Call::<F>::of_actor(slots, token, process));
        let node = pinned(Node::call(F::NAME, operator, given, origin), inner.worker.as_ref());
        let future = inner.client.start(&Delayed::<Result<F::Output, Failure>>::of(node))?;
        let (waits, ends) = (future.clone(), future.clone());
        let wait = Box::new(move || drop(waits.exception()));
        calls.last.push(LastCall { node: future.node(), wait, ended: Box::new(move || ends.done()) });
        calls.linked += 1;
        Ok(ActorFuture(future))
    }
}

impl Calls {
    /// The call after which the next one comes, if it has not ended. Waits when too many are under way.
    fn before(&mut self) -> Option<Arc<Node>> {
        self.last.retain(|call| !(call.ended)());
        if self.linked >= LINKED {
            self.last.drain(..).for_each(|call| (call.wait)());
        }
        if self.last.len() >= UNDER_WAY {
            (self.last.remove(0).wait)();
        }
        if self.last.is_empty() {
            self.linked = 0;
        }
        self.last.last().map(|call| call.node.clone())
    }
}

/// A task whose first parameter is an actor's state; every such `#[task]` is one.
pub trait CallOf<State: TaskValue, Arguments>: super::call::Task {
    /// The arguments, the state first.
    #[doc(hidden)]
    fn with_state(state: DFuture<State>, arguments: Arguments) -> Vec<Argument>;
}

macro_rules! calls {
    ($(($($name:ident $at:tt),*))+) => {$(
        impl<F, State: TaskValue, $($name),*> CallOf<State, ($($name,)*)> for F
        where
            F: TaskOf<(DFuture<State>, $($name,)*)>,
        {
            fn with_state(state: DFuture<State>, arguments: ($($name,)*)) -> Vec<Argument> {
                let _ = &arguments;
                F::arguments((state, $(arguments.$at,)*))
            }
        }
    )+};
}

calls! {
    ()
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
}

/// Which process it is run in; its input is read where it is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Whereabouts {
    token: u64,
}

impl Operator for Whereabouts {
    fn run(&self, _: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(chunk_from(*PROCESS))
    }
}

impl NamedOperator for Whereabouts {
    const NAME: &'static str = "whereabouts";
}

/// Fails when this is not the process in which the actor was made.
fn check(process: u64) -> Result<(), Failure> {
    match process == *PROCESS {
        true => Ok(()),
        false => Err(lost("the process of its worker is gone")),
    }
}

/// The calls that this process has made last, by their tokens.
#[derive(Default)]
struct Made {
    known: BTreeSet<u64>,
    order: VecDeque<u64>,
}

impl Made {
    /// Of so many calls it is remembered that they were made.
    const REMEMBERED: usize = 65_536;

    /// False when the call was made before.
    fn is_first(&mut self, token: u64) -> bool {
        let is_first = self.known.insert(token);
        if is_first {
            self.order.push_back(token);
        }
        if self.order.len() > Self::REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        is_first
    }
}

/// Makes a call on an actor that is here. What becomes of it, a panic too, is its result: it does not fail the calls that come after it.
/// A result that is lost though its worker lives, as when a disk is damaged, would be made again like any other; the state has changed
/// already, so the call is not made a second time.
pub(super) fn outcome<T>(process: u64, token: u64, call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    check(process)?;
    if !MADE.lock().unwrap_or_else(PoisonError::into_inner).is_first(token) {
        return Err(Failure::new(Code::ActorLost, "the call was made, but what it gave is lost, and it is not made a second time")
            .help("call the actor once more if that is what its state needs"));
    }
    // The next call sees the state as the panic left it, and is told so in the documentation of `ActorState::lock`.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Failure::of_panic(&*panic)))
}

/// A state that was made again is where its calls do not go, and cannot be sent to them.
fn told_as_lost(failure: Failure) -> Failure {
    match failure.code {
        Code::NotEncodable => lost("the process of its worker is gone").cause(failure),
        _ => failure,
    }
}

fn lost(why: &str) -> Failure {
    Failure::new(Code::ActorLost, format!("the actor is lost with its state: {why}"))
        .help("make it again with client.actor(…), from what was saved outside of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_once_in_a_process() {
        let (mut times, token) = (0, new_token());
        let mut call = |token| {
            let made = outcome(*PROCESS, token, || {
                times += 1;
                Ok(times)
            });
            made.map_err(|failure| failure.code)
        };
        assert_eq!(call(token), Ok(1));
        assert_eq!(call(token), Err(Code::ActorLost));
        assert_eq!(call(new_token()), Ok(2));
    }

    #[test]
    fn so_many_calls_are_remembered() {
        let mut made = Made::default();
        assert!((0..=Made::REMEMBERED as u64).all(|token| made.is_first(token)));
        assert!(!made.is_first(1) && made.is_first(0));
        assert_eq!((made.known.len(), made.order.len()), (Made::REMEMBERED, Made::REMEMBERED));
    }
}
