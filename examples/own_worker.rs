//! A whole program with functions of its own that is client and worker: the same binary serves when it is started as a worker.
//!
//! `cargo run --example own_worker` starts two worker processes on this host. On other hosts the program is started by
//! `partita worker ADDRESS --program ./own_worker`, and connects with `Client::connect(ADDRESS)` instead of a `LocalCluster`.

use std::collections::{BTreeMap, BTreeSet};

use partita::prelude::*;
use partita::{Code, Error, LocalCluster, Status, TaskContext, as_completed, compute, delayed, gather, gather_each, task, worker_state};

/// Words that say nothing. Built once in each worker process, on first use: the place for models and connections.
#[worker_state]
fn stop_words() -> BTreeSet<String> {
    ["a", "and", "of", "the", "to"].map(String::from).into()
}

/// How often each word occurs.
#[task]
fn count_words(text: &str) -> Result<BTreeMap<String, u64>, Error> {
    let ignored = stop_words::get()?;
    let mut counts = BTreeMap::new();
    for word in text.split_whitespace().map(str::to_lowercase).filter(|word| !ignored.contains(word)) {
        *counts.entry(word).or_insert(0) += 1;
    }
    Ok(counts)
}

/// All counts added up. The argument is a list of results of other calls.
#[task]
fn add_up(parts: Vec<BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut total = BTreeMap::new();
    for (word, count) in parts.into_iter().flatten() {
        *total.entry(word).or_insert(0) += count;
    }
    total
}

/// A frame is lent, not copied.
#[task]
fn longest(words: &DataFrame, context: &TaskContext<'_>) -> Result<String, Error> {
    context.check_cancelled()?;
    let column = words.column("word").and_then(|column| column.str().cloned());
    let column = column.map_err(|e| Error::new(Code::UserFunction, e.to_string()))?;
    let word = column.iter().flatten().max_by_key(|word| word.len());
    word.map(str::to_owned).ok_or_else(|| Error::new(Code::UserFunction, "there are no words"))
}

/// Any error type will do; its chain of causes arrives at the client as data.
#[task]
fn parse(text: String) -> Result<i64, std::num::ParseIntError> {
    text.trim().parse()
}

/// An asynchronous function: timers and sockets of tokio work in it.
#[task]
async fn square(x: i64) -> i64 {
    x * x
}

fn main() -> Result<(), Error> {
    // First of all: a process that was started as a worker serves from here and never returns.
    partita::run();
    let cluster = LocalCluster::builder().workers(2).threads_per_worker(1).start()?;
    let client = cluster.client()?;

    // Lazy calls become one graph.
    let lines = ["The cat and the hat", "the hat of a cat", "to the moon"];
    let parts: Vec<_> = lines.into_iter().map(|line| delayed(count_words)(line)).collect();
    let total = delayed(add_up)(parts);
    let frame = DFrame::from_polars(df!("word" => ["cat", "moonlight", "hat"]).map_err(|e| Error::new(Code::Internal, e.to_string()))?, 2);
    let (counts, word) = compute((&total, delayed(longest)(&frame)))?;
    assert_eq!(counts, BTreeMap::from([("cat".into(), 2), ("hat".into(), 2), ("moon".into(), 1)]));
    assert_eq!(word, "moonlight");
    println!("counted  {counts:?}, the longest word is {word:?}");

    // Futures start at once, and are arguments of further calls.
    let squares = client.map(square, 0..1_000i64)?;
    assert_eq!(gather(&squares)?.iter().sum::<i64>(), 332_833_500);
    let ended = as_completed(&squares[..10]).count();
    let again = client.submit(square, (&squares[3],))?;
    println!("squared  1,000 numbers, {ended} of them looked at as they ended; 3 to the 4th is {}", again.result()?);

    // A failure belongs to its future; the others are not touched.
    let numbers = client.map(parse, ["1", "two", "3"])?;
    let results = gather_each(&numbers);
    assert_eq!(numbers[1].exception().map(|failure| failure.code), Some(Code::UserFunction));
    assert_eq!((numbers[0].status(), numbers[1].status()), (Status::Finished, Status::Failed));
    assert_eq!(results.into_iter().flatten().collect::<Vec<_>>(), [1, 3]);
    println!("failed   {}", numbers[1].exception().expect("it failed"));
    Ok(())
}
