//! Asynchronous tasks: run to their end as tasks, futures when called by `name::call`.
#![deny(warnings)]

extern crate self as partita;

#[path = "../contract/mod.rs"]
mod contract;

use std::future::ready;
use std::num::ParseIntError;

pub use contract::{Delayed, Error, delayed, graph, task_support};
use partita_macros::task;

#[task]
async fn add(a: i64, b: &i64) -> i64 {
    ready(a).await + b
}

#[task]
pub async fn parse(context: &graph::TaskContext<'_>, text: &str) -> Result<i64, ParseIntError> {
    let text = format!("{}{text}", context.attempt);
    ready(text.parse()).await
}

#[task]
async fn wait() {
    add::call(1, &2).await;
}

fn is_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    assert_eq!(delayed(add)(1, delayed(add)(2, 3)).outcome.expect("it adds"), 6);
    assert_eq!(delayed(parse)("7").outcome.expect("a number"), 17);
    assert!(delayed(parse)("x").outcome.expect_err("no number").message.contains("invalid digit"));
    delayed(wait)().outcome.expect("it waits");

    assert_eq!(task_support::block_on(is_send(add::call(1, &2))), 3);
    let context = graph::TaskContext { attempt: 2, note: "mine" };
    assert_eq!(task_support::block_on(parse::call(&context, "0")), Ok(20));
}
