//! The smallest runtime that the macros can write for: a delayed call runs at once, arguments travel inside of this process.
//!
//! It refuses to be the real one, `::partita::task_support`, which takes minutes to compile. The invariant: names, parameters and
//! bounds are those of the real one, so that what compiles in front of this compiles in front of that.

use std::fmt;
use std::panic::Location;

use task_support::TaskOf;

/// Why a task failed.
#[derive(Debug)]
pub struct Error {
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// A call and, here, what came of it.
pub struct Delayed<T> {
    pub outcome: Result<T, Error>,
    pub task: &'static str,
    pub origin: &'static Location<'static>,
}

/// The task as a function that delays its calls.
#[track_caller]
pub fn delayed<Arguments, F: TaskOf<Arguments>>(task: F) -> F::Call {
    task.deferred(Location::caller())
}

pub mod graph {
    //! What a task may know of its run.

    /// As the real one, with less in it.
    pub struct TaskContext<'a> {
        pub attempt: u32,
        pub note: &'a str,
    }
}

pub mod task_support {
    //! What the macros write for.

    use std::any::Any;
    use std::ops::Deref;
    use std::panic::Location;
    use std::pin::pin;
    use std::sync::{Arc, Mutex, OnceLock};
    use std::task::{Context, Poll, Waker};

    use super::graph::TaskContext;
    use super::{Delayed, Error};

    pub use inventory;

    /// What can be an argument or a result.
    pub trait TaskValue: Clone + Send + Sync + 'static {}
    impl<T: Clone + Send + Sync + 'static> TaskValue for T {}

    pub trait Task: Copy + Send + Sync + 'static {
        const NAME: &'static str;
        const PARAMETERS: &'static [&'static str];
        const PURE: bool;
        type Output: TaskValue;
        fn call(context: &TaskContext<'_>, inputs: &mut Inputs<'_>) -> Result<Self::Output, Error>;
        fn parts(output: Self::Output) -> Vec<Part> {
            vec![part(output)]
        }
    }

    /// One of the values that a task gives.
    pub type Part = Box<dyn Any>;

    pub fn part<T: TaskValue>(value: T) -> Part {
        Box::new(value)
    }

    pub trait TaskOf<Arguments>: Task {
        type Call;
        fn deferred(self, origin: &'static Location<'static>) -> Self::Call;
        fn arguments(arguments: Arguments) -> Vec<Argument>;
    }

    pub struct Argument(Arc<dyn Any + Send + Sync>);

    pub trait IntoArgument<T> {
        fn into_argument(self) -> Argument;
    }

    impl<T: TaskValue> IntoArgument<T> for T {
        fn into_argument(self) -> Argument {
            Argument(Arc::new(self))
        }
    }

    impl<T: TaskValue> IntoArgument<T> for Delayed<T> {
        fn into_argument(self) -> Argument {
            Argument(Arc::new(self.outcome.expect("tests pass on what succeeded")))
        }
    }

    impl IntoArgument<String> for &str {
        fn into_argument(self) -> Argument {
            Argument(Arc::new(self.to_string()))
        }
    }

    pub struct Inputs<'a> {
        arguments: std::slice::Iter<'a, Argument>,
    }

    impl Inputs<'_> {
        pub fn take<T: TaskValue>(&mut self) -> Result<T, Error> {
            self.lend::<T>().map(|lent| T::clone(&lent))
        }

        pub fn lend<T: TaskValue>(&mut self) -> Result<Lent<T>, Error> {
            let argument = self.arguments.next().ok_or_else(|| Error { message: "too few arguments".into() })?;
            let value = Arc::clone(&argument.0).downcast().map_err(|_| Error { message: "an argument of another type".into() })?;
            Ok(Lent(value))
        }
    }

    pub struct Lent<T>(Arc<T>);

    impl<T> Deref for Lent<T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.0
        }
    }

    /// Runs the task, where the real one would make a node of a graph.
    pub fn deferred<F: Task>(_task: F, arguments: Vec<Argument>, origin: &'static Location<'static>) -> Delayed<F::Output> {
        let context = TaskContext { attempt: 1, note: "first" };
        let outcome = F::call(&context, &mut Inputs { arguments: arguments.iter() });
        Delayed { outcome, task: F::NAME, origin }
    }

    pub fn outcome_of<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(result: Result<T, E>) -> Result<T, Error> {
        result.map_err(|error| Error { message: error.into().to_string() })
    }

    pub fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return output;
            }
        }
    }

    pub struct TaskEntry {
        pub name: &'static str,
        pub parameters: &'static [&'static str],
        pub pure: bool,
    }

    impl TaskEntry {
        pub const fn of<F: Task>() -> Self {
            Self { name: F::NAME, parameters: F::PARAMETERS, pure: F::PURE }
        }
    }

    inventory::collect!(TaskEntry);

    /// What ends the states that were built.
    pub static TEARDOWNS: Mutex<Vec<Box<dyn Fn() + Send>>> = Mutex::new(Vec::new());

    pub struct StateCell<T> {
        value: OnceLock<Arc<T>>,
        building: Mutex<()>,
    }

    impl<T: Send + Sync + 'static> StateCell<T> {
        pub const fn new() -> Self {
            Self { value: OnceLock::new(), building: Mutex::new(()) }
        }

        pub fn get(
            &'static self,
            name: &'static str,
            build: impl FnOnce() -> Result<T, Error>,
            teardown: Option<fn(&T)>,
        ) -> Result<Arc<T>, Error> {
            let _alone = self.building.lock().expect("no build of these tests panics");
            if let Some(value) = self.value.get() {
                return Ok(value.clone());
            }
            let built = build().map_err(|error| Error { message: format!("{name}: {error}") })?;
            if let Some(teardown) = teardown {
                TEARDOWNS.lock().expect("no panic").push(Box::new(move || self.value.get().into_iter().for_each(|value| teardown(value))));
            }
            Ok(self.value.get_or_init(|| Arc::new(built)).clone())
        }
    }
}
