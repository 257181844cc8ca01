//! The functions that the tests run.

use std::sync::atomic::{AtomicU64, Ordering};

use partita::ndarray::{Array2, ArrayD, Axis, ShapeError, concatenate};
use partita::polars::prelude::{IntoLazy, PolarsError};
use partita::prelude::*;
use partita::{ActorState, ArrayBlock, Error, TaskContext, task, worker_state};
use serde::{Deserialize, Serialize};

#[task]
pub fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[task]
pub fn double(x: i64) -> i64 {
    2 * x
}

#[task]
pub fn total(parts: Vec<i64>) -> i64 {
    parts.iter().sum()
}

#[task]
pub fn shout(text: &str) -> String {
    text.to_uppercase()
}

#[task]
pub async fn later(x: i64) -> i64 {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    x + 1
}

/// A type of the user's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub x: f64,
    pub name: String,
}

#[task]
pub fn shift(point: &Point, by: f64) -> Point {
    Point { x: point.x + by, name: point.name.clone() }
}

#[task]
pub fn rows(frame: &DataFrame) -> usize {
    frame.height()
}

#[task]
pub fn numbers(first: i64, count: i64) -> DataFrame {
    df!("x" => (first..first + count).collect::<Vec<_>>()).expect("one column")
}

/// The rows whose `x` is even.
#[task]
pub fn evens(part: DataFrame) -> Result<DataFrame, PolarsError> {
    part.lazy().filter((col("x") % lit(2)).eq(lit(0))).collect()
}

/// How much `x` differs from three rows before.
#[task]
pub fn steps_of_three(part: DataFrame) -> Result<DataFrame, PolarsError> {
    part.lazy().select([col("x") - col("x").shift(lit(3))]).collect()
}

/// The key of a group and how many rows it has.
#[task]
pub fn counted(part: &DataFrame) -> Result<DataFrame, PolarsError> {
    df!("k" => [part.column("k")?.i64()?.get(0)], "rows" => [part.height() as i64])
}

#[task]
pub fn sum_of_x(part: &DataFrame) -> Result<i64, PolarsError> {
    Ok(part.column("x")?.i64()?.iter().flatten().sum())
}

#[task]
pub fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[task]
pub fn sum_of(array: &ArrayD<f64>) -> f64 {
    array.sum()
}

#[task]
pub fn trace(matrix: &Array2<f64>) -> f64 {
    matrix.diag().sum()
}

#[task]
pub fn largest(block: &ArrayBlock<f64>) -> f64 {
    block.view().iter().copied().fold(f64::MIN, f64::max)
}

#[task]
pub fn scaled(block: &ArrayBlock<f64>, by: f64) -> ArrayBlock<f64> {
    block.view().mapv(|x| x * by).into()
}

/// Numbers from `first` on, row by row.
#[task]
pub fn ramp(first: f64, height: usize, width: usize) -> Array2<f64> {
    Array2::from_shape_fn((height, width), |(row, column)| first + (row * width + column) as f64)
}

#[task]
pub fn stacked(parts: Vec<Array2<f64>>) -> Result<Array2<f64>, ShapeError> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &views)
}

#[task]
pub fn as_dyn(array: ArrayD<f64>) -> ArrayD<f64> {
    array
}

#[task]
pub fn same_place(one: &Array2<f64>, other: &Array2<f64>) -> bool {
    std::ptr::eq(one.as_ptr(), other.as_ptr())
}

#[task]
pub fn same_block(one: &ArrayBlock<f64>, other: &ArrayBlock<f64>) -> bool {
    std::ptr::eq(one.view().as_ptr(), other.view().as_ptr())
}

#[task(pure = false)]
pub fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed) + (u64::from(std::process::id()) << 32)
}

#[derive(Debug)]
pub struct Outer(std::num::ParseIntError);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no number in the file")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[task]
pub fn parse(text: &str) -> Result<i64, Outer> {
    text.parse().map_err(Outer)
}

#[task]
pub fn explode(x: i64) -> i64 {
    assert!(x != 13, "thirteen is not welcome");
    x
}

/// Fails after it has read all that it is given.
#[task]
pub fn refuse(parts: Vec<i64>) -> Result<i64, Error> {
    Err(Error::new(partita::Code::UserFunction, format!("{} is refused", parts.iter().sum::<i64>())))
}

/// Waits inside for a call that fails.
#[task]
pub fn refuse_inside(first: i64) -> Result<i64, Error> {
    let client = Client::current()?;
    let parts = client.map(double, [first, first + 1])?;
    client.submit(refuse, (parts,))?.result()
}

/// Fails in its first tries.
#[task]
pub fn stubborn(tries: u32, context: &TaskContext<'_>) -> Result<u32, Error> {
    match context.attempt {
        attempt if attempt <= tries => Err(Error::new(partita::Code::UserFunction, format!("try {attempt} fails"))),
        attempt => Ok(attempt),
    }
}

/// Runs until it is told to stop.
#[task]
pub fn endless(_token: u64, context: &TaskContext<'_>) -> Result<(), Error> {
    loop {
        context.check_cancelled()?;
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

static BUILT: AtomicU64 = AtomicU64::new(0);

/// Built once in a process.
#[worker_state]
fn model() -> u64 {
    BUILT.fetch_add(1, Ordering::Relaxed) + 100
}

#[task]
pub fn ask_model(x: u64) -> Result<u64, Error> {
    Ok(*model::get()? + x)
}

/// Says in a folder when it is taken down, once it knows of one.
#[derive(Default)]
pub struct Keeper {
    folder: std::sync::Mutex<Option<std::path::PathBuf>>,
}

impl Keeper {
    fn note(&self, word: &str) {
        let folder = self.folder.lock().expect("no panic").clone();
        let file = folder.map(|folder| folder.join(format!("{word}-{}", std::process::id())));
        file.into_iter().for_each(|file| std::fs::write(file, "").expect("the folder is there"));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.note("dropped");
    }
}

/// Built by tasks.
#[worker_state]
fn looked_up() -> Result<i64, Error> {
    let client = partita::Client::current()?;
    let half = client.submit(double, (5,))?;
    client.submit(double, (&half,))?.result()
}

#[task]
pub fn add_looked_up(x: i64) -> Result<i64, Error> {
    Ok(x + *looked_up::get()?)
}

#[worker_state(teardown = close_keeper)]
fn keeper() -> Keeper {
    Keeper::default()
}

fn close_keeper(ended: &Keeper) {
    ended.note("closed");
}

/// Gives the process's state a folder to note its end in.
#[task(pure = false)]
pub fn keep_in(folder: &str) -> Result<u32, Error> {
    *keeper::get()?.folder.lock().expect("no panic") = Some(folder.into());
    Ok(std::process::id())
}

/// Takes a lock, and counts in a variable what nobody else may count meanwhile.
#[task]
pub fn count_up(name: &str, _turn: i64) -> Result<(), Error> {
    let guard = partita::Lock::new(name)?.acquire()?;
    let variable = partita::Variable::<u64>::new(name)?;
    let seen = variable.get()?;
    std::thread::yield_now();
    variable.set(&(seen + 1))?;
    drop(guard);
    Ok(())
}

/// How many of these calls are made in this process at a time, this one among them.
#[task]
pub fn at_a_time(_turn: u64) -> u64 {
    static RUNNING: AtomicU64 = AtomicU64::new(0);
    let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
    std::thread::sleep(std::time::Duration::from_millis(2));
    RUNNING.fetch_sub(1, Ordering::SeqCst);
    running
}

/// What a file holds that was uploaded.
#[task(pure = false)]
pub fn read_upload(name: &str) -> Result<String, Error> {
    let path = partita::uploaded(name)?;
    std::fs::read_to_string(path).map_err(|e| Error::new(partita::Code::Unreadable, e.to_string()))
}

/// How long a file is that was uploaded.
#[task]
pub fn length_of_upload(name: &str) -> Result<u64, Error> {
    let file = std::fs::metadata(partita::uploaded(name)?);
    file.map(|file| file.len()).map_err(|e| Error::new(partita::Code::Unreadable, e.to_string()))
}

#[task]
pub fn collatz(x: u64) -> u64 {
    if x.is_multiple_of(2) { x / 2 } else { 3 * x + 1 }
}

#[task]
pub fn unit_or_panic(x: i64) {
    assert!(x != 13, "thirteen is not welcome");
}

/// Makes a step for each word that comes into a queue, and says so.
#[task]
pub fn step_by_step(name: &str, count: u64, context: &TaskContext<'_>) -> Result<u64, Error> {
    let steps = partita::Queue::<u64>::new(name)?;
    for done in 1..=count {
        steps.get()?;
        context.progress(done, count);
    }
    Ok(count)
}

/// Fails the first time that it is called with a name.
#[task]
pub fn fails_once(name: &str) -> Result<i64, Error> {
    let variable = partita::Variable::<i64>::new(name)?;
    match variable.get_timeout(std::time::Duration::ZERO)? {
        Some(value) => Ok(value),
        None => {
            variable.set(&20)?;
            Err(Error::new(partita::Code::UserFunction, "the first time fails"))
        }
    }
}

/// Says that it has begun, waits for a value of a queue, and says that it waits no more.
#[task]
pub fn take_one(name: &str) -> Result<i64, Error> {
    let (begun, ended) = (partita::Event::new(&format!("{name}-begun"))?, partita::Event::new(&format!("{name}-ended"))?);
    // Whoever hears the first may cancel this task before it is told that it was heard.
    let taken = begun.set().and_then(|()| partita::Queue::<i64>::new(name)?.get());
    // A task that is cancelled is told nothing any more, but what it says is heard.
    let _ = ended.set();
    taken
}

/// The same as [`fibonacci`], awaiting instead of blocking.
#[task]
pub async fn fibonacci_awaited(n: u64) -> Result<u64, Error> {
    if n < 2 {
        return Ok(n);
    }
    let client = Client::current()?;
    let (one, other) = (client.submit(fibonacci_awaited, (n - 1,))?, client.submit(fibonacci_awaited, (n - 2,))?);
    Ok(one.await? + other.await?)
}

/// Submits tasks and waits for them.
#[task]
pub fn fibonacci(n: u64) -> Result<u64, Error> {
    if n < 2 {
        return Ok(n);
    }
    let client = Client::current()?;
    let (one, other) = (client.submit(fibonacci, (n - 1,))?, client.submit(fibonacci, (n - 2,))?);
    Ok(one.result()? + other.result()?)
}

#[task]
pub fn open_counter(start: i64) -> ActorState<i64> {
    ActorState::new(start)
}

#[task]
pub fn count_by(counter: &ActorState<i64>, by: i64) -> i64 {
    assert!(by != 13, "thirteen is not welcome");
    let mut value = counter.lock();
    *value += by;
    *value
}

/// Counts once the event of this name is set.
#[task]
pub fn count_when(counter: &ActorState<i64>, name: &str) -> Result<i64, Error> {
    partita::Event::new(name)?.wait()?;
    *counter.lock() += 1;
    Ok(*counter.lock())
}

#[task]
pub fn where_it_is(_counter: &ActorState<i64>) -> u32 {
    std::process::id()
}

#[task]
pub fn count_slowly(counter: &ActorState<i64>, millis: u64) -> i64 {
    std::thread::sleep(std::time::Duration::from_millis(millis));
    *counter.lock() += 1;
    *counter.lock()
}

#[task]
pub fn numbers_below(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[task]
pub fn double_slowly(x: i64) -> i64 {
    std::thread::sleep(std::time::Duration::from_millis(1));
    2 * x
}

/// Takes a lock and a lease, says in which process, and keeps them until that is killed; a second try takes nothing.
#[task]
pub fn hold_for_ever(name: &str, context: &TaskContext<'_>) -> Result<u32, Error> {
    if context.attempt == 1 {
        let _guard = partita::Lock::new(name)?.acquire()?;
        let _lease = partita::Semaphore::new(name, 1)?.acquire()?;
        partita::Variable::<u32>::new(name)?.set(&std::process::id())?;
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
    Ok(context.attempt)
}

/// Says in which process it is, submits so many calls, and waits for them. Gives their sum, and which try it is.
#[task]
pub fn sum_of_doubles(name: &str, count: i64, context: &TaskContext<'_>) -> Result<(i64, u32), Error> {
    let client = Client::current()?;
    partita::Variable::<u32>::new(name)?.set(&std::process::id())?;
    let futures = client.map(double_slowly, 0..count)?;
    partita::as_completed(&futures).next();
    partita::Variable::<i64>::new(&format!("{name}-begun"))?.set(&count)?;
    Ok((partita::gather(&futures)?.iter().sum(), context.attempt))
}

#[task(pure = false)]
pub fn where_i_am() -> u32 {
    std::process::id()
}

/// Says in which process it is, and waits until it may go on.
#[task(pure = false)]
pub fn meet(name: &str) -> Result<u32, Error> {
    let pid = std::process::id();
    partita::Queue::<u32>::new(name)?.put(&pid)?;
    partita::Event::new(name)?.wait()?;
    Ok(pid)
}
