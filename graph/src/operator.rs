//! What a task does. Operators are open: built-in and user ones are the same trait and the same registry.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Chunk, Code, Failure, Key, Origin};

/// A small piece of data that belongs to one task of a layer: a byte range, an offset, a chunk of the user's own.
#[derive(Clone, Debug)]
pub enum Arg {
    /// Encoded by the operator's author.
    Bytes(Arc<[u8]>),
    /// A value that is in this process already. `token` is its identity when layers are hashed.
    Chunk {
        /// The same token means the same content.
        token: u64,
        /// The value.
        chunk: Chunk,
    },
}

impl Arg {
    /// An argument from any serde value.
    pub fn encode(value: &impl Serialize) -> Self {
        Self::Bytes(postcard::to_stdvec(value).expect("an argument is plain data").into())
    }

    /// The serde value back.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        match self {
            Arg::Bytes(bytes) => postcard::from_bytes(bytes).map_err(|e| Failure::internal(format!("argument: {e}"))),
            Arg::Chunk { .. } => Err(Failure::internal("argument: a chunk where bytes were expected")),
        }
    }
}

/// What an operator may know of the task that runs it.
pub struct TaskContext<'a> {
    /// The task. Operators may use its index; the layer is another one after fusion, so results must not depend on it.
    pub key: Key,
    /// Which try, from 1.
    pub attempt: u32,
    /// The task's own argument for this step, when the layer has one.
    pub arg: Option<&'a Arg>,
    /// Set when nobody wants the result any more; long operators look at it now and then.
    pub cancelled: &'a AtomicBool,
    /// Remarks for the user that are not failures, for example a column that was widened.
    pub notes: &'a Mutex<Vec<String>>,
    /// How far the task says that it is; see [`TaskContext::progress`].
    pub told: &'a TaskProgress,
}

/// How far a task says that it is: written by the task whenever it likes, read by whoever looks, so it costs a task the same few
/// nanoseconds whether somebody looks or not.
#[derive(Default, Debug)]
pub struct TaskProgress {
    done: AtomicU64,
    /// 0 until something is said.
    total: AtomicU64,
    /// Something was said since it was last taken.
    fresh: AtomicBool,
}

impl TaskProgress {
    /// So much of so much is done.
    pub fn tell(&self, done: u64, total: u64) {
        self.total.store(total.max(1), Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
        self.fresh.store(true, Ordering::Release);
    }

    /// What was said last: how much of how much is done, never more than all. Nothing before something is said.
    pub fn told(&self) -> Option<(u64, u64)> {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        (total > 0).then_some((done.min(total), total))
    }

    /// The same, if something was said since this was called last.
    pub fn take(&self) -> Option<(u64, u64)> {
        if !self.fresh.swap(false, Ordering::Acquire) {
            return None;
        }
        self.told()
    }

    /// Another try begins.
    pub fn clear(&self) {
        self.fresh.store(false, Ordering::Relaxed);
        self.total.store(0, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
    }
}

impl TaskContext<'_> {
    /// Fails with [`Code::Cancelled`] once nobody wants the result any more.
    pub fn check_cancelled(&self) -> Result<(), Failure> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Failure::new(Code::Cancelled, "the task was cancelled while it ran"));
        }
        Ok(())
    }

    /// Says how far the task is: `done` of `total`, in whatever unit it counts. Whoever has the future reads it there
    /// (`future.progress()`); on a cluster the last word travels about ten times a second, so a task may say it in every turn of a loop.
    ///
    /// ```
    /// # use partita_graph::{Key, LayerId, TaskContext, TaskProgress};
    /// # use std::sync::{Mutex, atomic::AtomicBool};
    /// # let (cancelled, notes, told) = (AtomicBool::new(false), Mutex::default(), TaskProgress::default());
    /// # let context = &TaskContext { key: Key::new(LayerId(1), 0), attempt: 1, arg: None, cancelled: &cancelled, notes: &notes, told: &told };
    /// for row in 0..1_000u64 {
    ///     // … work …
    ///     context.progress(row + 1, 1_000);
    /// }
    /// assert_eq!(told.told(), Some((1_000, 1_000)));
    /// ```
    pub fn progress(&self, done: u64, total: u64) {
        self.told.tell(done, total);
    }

    /// The argument of this step; its absence is a fault of the lowering.
    pub fn arg(&self) -> Result<&Arg, Failure> {
        self.arg.ok_or_else(|| Failure::internal("the step has no argument"))
    }
}

/// Work on chunks: pure, deterministic, sharing nothing.
///
/// `inputs` are the chunks of the step's sources, one after the other.
pub trait Operator: Send + Sync + 'static {
    /// Makes the chunk.
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure>;
}

/// An operator that can be sent: it has a name and a serde form.
pub trait NamedOperator: Operator + Serialize + DeserializeOwned {
    /// Unique among all operators of a program; also what plans print.
    const NAME: &'static str;
}

/// An operator as the scheduler sees it: a name and opaque bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Registered name.
    pub name: Arc<str>,
    /// The operator's serde form; empty for a closure.
    pub body: Arc<[u8]>,
}

/// An operator in a kernel: its payload, and the object where it was built or decoded in this process.
#[derive(Clone)]
pub struct OpRef {
    /// For the wire, for hashing and for plans.
    pub payload: Payload,
    /// For running. `None` until [`crate::Registry::resolve`].
    pub operator: Option<Arc<dyn Operator>>,
    /// False for closures: they run in this process only.
    pub portable: bool,
    /// One line for plans, for example `filter dep_delay > 15`.
    pub label: Arc<str>,
    /// The user's line that asked for it; kept when layers are fused, and no part of any identity.
    pub origin: Option<Arc<Origin>>,
}

impl OpRef {
    /// A built-in or user operator, with a line for plans.
    pub fn new<O: NamedOperator>(operator: O, label: impl Into<Arc<str>>) -> Self {
        let body = postcard::to_stdvec(&operator).expect("an operator is plain data");
        let payload = Payload { name: O::NAME.into(), body: body.into() };
        Self { payload, operator: Some(Arc::new(operator)), portable: true, label: label.into(), origin: None }
    }

    /// A closure. `token` stands for its identity: two closures with one token are the same work.
    pub fn closure<F>(name: &str, token: u64, function: F) -> Self
    where
        F: Fn(&TaskContext<'_>, &[Chunk]) -> Result<Chunk, Failure> + Send + Sync + 'static,
    {
        let payload = Payload { name: name.into(), body: token.to_le_bytes().to_vec().into() };
        Self { payload, operator: Some(Arc::new(Closure(function))), portable: false, label: name.into(), origin: None }
    }
}

impl fmt::Debug for OpRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

struct Closure<F>(F);

impl<F> Operator for Closure<F>
where
    F: Fn(&TaskContext<'_>, &[Chunk]) -> Result<Chunk, Failure> + Send + Sync + 'static,
{
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        (self.0)(ctx, inputs)
    }
}
