//! `#[task]` and `#[worker_state]`: two attributes that make of a function what a cluster can use. Use them as `partita::task`
//! and `partita::worker_state`.
//!
//! This crate reads the function's own text and writes Rust that speaks to `::partita::task_support`. It refuses to know how tasks
//! run, and knows no other crate of this workspace. The invariant: a mistake is told at its place in the user's words, with what
//! to write instead, before the compiler meets anything generated.
#![warn(missing_docs)]

mod task;
mod worker_state;

mod complaints;
mod function;
mod options;
mod parameters;
mod returned;
mod written;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a task of a function: work that has a name, so that a graph can hold it and a worker in another process can run it.
///
/// ```text
/// #[task]
/// pub fn mean(values: &[f64]) -> f64 {
///     values.iter().sum::<f64>() / values.len() as f64
/// }
///
/// let later = delayed(mean)(vec![1.0, 2.0, 6.0]);    // a node of a graph; nothing has run
/// let now = mean(&[1.0, 2.0, 6.0]);                  // the plain function, as before
/// ```
///
/// # Parameters
///
/// Up to twelve, each a plain name and a type that is written out:
///
/// | parameter | what the caller passes, as a value or as a delayed one | how it comes |
/// | --- | --- | --- |
/// | `a: T` | `T` | a value of its own |
/// | `a: &T` | `T` | lent: many tasks read one value without a copy |
/// | `a: &str` | `String` | lent |
/// | `a: &[T]` | `Vec<T>` | lent |
/// | `a: &TaskContext<'_>` | nothing | what the task may know of its run; anywhere in the list, once |
///
/// # The result
///
/// A value that owns all it holds. A type whose last name is `Result` (an alias too, as long as it names the value:
/// `io::Result<T>`) makes the task fallible: its value is `T`, and an `Err` fails the task with the error's own words.
///
/// An `async fn` is run to its end on the thread of the task.
///
/// # Options
///
/// * `name = "…"`: the name by which workers know the task. Without it, the path of the module and the name of the function.
///   Tasks inside of functions need it when two of one module have one name.
/// * `pure = false`: equal arguments may give unequal results (it reads a clock, a file, a random number), so two calls are two
///   tasks. Without it, equal calls are one task, which runs once.
///
/// # What the name is afterwards
///
/// A struct without fields, with the documentation and the visibility of the function. Calling it calls the function; of an
/// `async fn`, `name::call(…)` does. Where the struct is in scope, no variable and no parameter can have its name: verbs make
/// good names for tasks.
///
/// # Errors
///
/// The compiler refuses, with a sentence that says what to write instead: `self`, generic parameters, lifetimes, `impl Trait`,
/// `&mut`, patterns, `const`, `unsafe` and `extern` functions, and results that borrow.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    answer(task::expand(options.into(), item.clone().into()), item)
}

/// Makes of a function a value that each worker process builds once, at its first use: a model, a pool of connections, a table.
///
/// ```text
/// #[worker_state]
/// fn model() -> Result<Model, LoadError> {
///     Model::load("/srv/model.onnx")
/// }
///
/// #[task]
/// fn score(rows: &[Row]) -> Result<Vec<f32>, partita::Error> {
///     Ok(model::get()?.score(rows))
/// }
/// ```
///
/// The function has no parameters. It may be `async`, and it may fail: its result is then a `Result`, which names its value.
/// Afterwards its name is a struct with `pub fn get() -> Result<Arc<Value>, partita::Error>`. Tasks that call `get` while another
/// one builds wait for it. A build that fails is not remembered: the next call tries again.
///
/// When the worker ends in peace, and in process when the last client is dropped, what was built is taken down, the last first:
/// it is dropped, and where a function is named it is called before that:
///
/// ```text
/// #[worker_state(teardown = say_goodbye)]
/// fn connection() -> Result<Connection, ConnectError> { … }
///
/// fn say_goodbye(connection: &Connection) { … }
/// ```
///
/// # Errors
///
/// The compiler refuses parameters, generic parameters, `impl Trait`, other options and results that borrow, and says what to write
/// instead.
#[proc_macro_attribute]
pub fn worker_state(options: TokenStream, item: TokenStream) -> TokenStream {
    answer(worker_state::expand(options.into(), item.clone().into()), item)
}

/// What was made, or the mistakes and the function as it was written: editors then still know it, and its name is not missed too.
fn answer(expanded: syn::Result<proc_macro2::TokenStream>, item: TokenStream) -> TokenStream {
    match expanded {
        Ok(expanded) => expanded.into(),
        Err(mistakes) => {
            let mut answer = TokenStream::from(mistakes.into_compile_error());
            answer.extend(item);
            answer
        }
    }
}
