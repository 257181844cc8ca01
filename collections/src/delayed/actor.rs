//! Actors: state that lives on one worker and is changed by calls in order.
//!
//! It refuses to move or to restore state. Invariants: one call of an actor runs at a time, in the order in which they were made through
//! its handle; when the worker's process is gone, every call fails and says so, and none works on a state that began anew.

use std::panic::Location;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use partita_graph::{Chunk, Code, Failure, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::argument::{Argument, Given};
use super::call::{Call, TaskOf};
use super::future::DFuture;
use super::node::{MakeOperator, Node, new_token};
use super::submit::LOCAL;
use super::value::{TaskValue, chunk_from};
use super::{Delayed, Status};
use crate::client::Client;

/// Calls that may be under way at a time; a further one waits for the first of them.
const UNDER_WAY: usize = 64;

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

    /// The state, for reading and changing. Calls of one actor never wait here for each other. A call that panicked may have left the
    /// state half changed; the next one sees it so.
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
    /// The last calls, the newest at the end, and what waits for their end.
    calls: Mutex<Vec<LastCall>>,
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
    /// The function's own; the actor is lost with its worker (E0236).
    pub fn result(&self) -> Result<T, Failure> {
        self.0.result()?
    }

    /// Whether the call has ended, well or not.
    pub fn done(&self) -> bool {
        self.0.status() != Status::Pending
    }
}

impl Client {
    /// Makes an actor: calls the function on some worker, where its state stays. Blocks until that is done.
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
        // Asked where the state is read without moving, that is where it is.
        let find: MakeOperator = Arc::new(move |_| OpRef::new(Whereabouts { token }, "whereabouts"));
        let found: Delayed<u64> = Delayed::of(Node::call("whereabouts", find, vec![Given::Node(state.node())], origin));
        let process = self.start(&found)?.result()?;
        let worker = self.holder(&state)?;
        Ok(Actor { inner: Arc::new(Inner { client: self.clone(), state, worker, process, calls: Mutex::default() }) })
    }

    /// The worker that has a result; `None` in process.
    fn holder<T>(&self, future: &DFuture<T>) -> Result<Option<String>, Failure> {
        #[cfg(feature = "cluster")]
        if self.worker_names()? != [LOCAL] {
            let held = self.who_has(&[future.key()])?;
            let name = held.into_iter().flat_map(|(_, names)| names).next();
            return name.map(Some).ok_or_else(|| lost("its worker went while it was made"));
        }
        let _ = (future, LOCAL);
        Ok(None)
    }
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
        let mut calls = inner.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|call| !(call.ended)());
        if calls.len() >= UNDER_WAY {
            (calls.remove(0).wait)();
        }
        // Read after all others and looked at by nobody: the call before must have ended.
        given.extend(calls.last().map(|call| Given::Node(call.node.clone())));
        let (token, process) = (new_token(), inner.process);
        let operator: MakeOperator = Arc::new(move |slots| Call::<F>::of_actor(slots, token, process));
        let node = Node::call(F::NAME, operator, given, origin);
        let call: Delayed<Result<F::Output, Failure>> = Delayed::of(match &inner.worker {
            Some(worker) => node.annotated(|wishes| {
                wishes.workers = vec![worker.clone()];
                // When the worker is gone, the call is to fail and not to wait for another of its name.
                wishes.allow_other_workers = true;
            }),
            None => node,
        });
        let future = inner.client.start(&call)?;
        let (waits, ends) = (future.clone(), future.clone());
        let wait = Box::new(move || drop(waits.exception()));
        calls.push(LastCall { node: future.node(), wait, ended: Box::new(move || ends.done()) });
        Ok(ActorFuture(future))
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
pub(super) fn check(process: u64) -> Result<(), Failure> {
    match process == *PROCESS {
        true => Ok(()),
        false => Err(lost("the process of its worker is gone")),
    }
}

fn lost(why: &str) -> Failure {
    Failure::new(Code::ActorLost, format!("the actor is lost with its state: {why}"))
        .help("make it again with client.actor(…), from what was saved outside of it")
}
