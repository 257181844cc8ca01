//! Tasks of every number of arguments, passed and taken in every way, delayed and called directly.
#![deny(warnings)]

extern crate self as partita;

#[path = "../contract/mod.rs"]
mod contract;

use std::num::ParseIntError;

pub use contract::{Delayed, Error, delayed, graph, task_support};
use graph::TaskContext;
use partita_macros::task;

#[task]
fn seven() -> i64 {
    7
}

#[task]
fn nothing() {}

#[task]
fn double(value: i64) -> i64 {
    2 * value
}

#[task]
fn add_up(values: &[f64], start: &f64) -> f64 {
    values.iter().sum::<f64>() + start
}

#[task]
fn grow(mut values: Vec<i64>, value: i64) -> Vec<i64> {
    values.push(value);
    values
}

#[task]
fn parse(text: &str) -> Result<i64, ParseIntError> {
    text.trim().parse()
}

#[task]
fn refuse(reason: String) -> Result<(), String> {
    Err(reason)
}

#[task]
fn read_file(path: &String) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

#[task]
fn describe(before: i64, context: &TaskContext<'_>, after: &i64) -> String {
    format!("{before} {} {} {after}", context.attempt, context.note)
}

#[task]
fn note(context: &graph::TaskContext) -> String {
    context.note.to_string()
}

#[task]
fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * factorial(n - 1) }
}

#[task]
fn twelve(a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64, i: i64, j: i64, k: i64, l: i64) -> [i64; 12] {
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

#[derive(Clone, Debug, PartialEq)]
struct Private(i64);

#[task]
fn wrap(value: i64) -> Option<Private> {
    Some(Private(value))
}

#[task]
fn unwrap_all(values: &Vec<Private>, pair: &(Private, [Private; 2])) -> i64 {
    values.iter().chain([&pair.0]).chain(&pair.1).map(|private| private.0).sum()
}

#[task]
fn both(value: i64) -> Result<(i64, String), Error> {
    Ok((value, value.to_string()))
}

fn value<T>(delayed: Delayed<T>) -> T {
    delayed.outcome.expect("the task succeeds")
}

fn main() {
    assert_eq!(value(delayed(seven)()), 7);
    value(delayed(nothing)());
    assert_eq!(value(delayed(double)(21)), 42);
    assert_eq!(value(delayed(double)(delayed(seven)())), 14);
    assert_eq!(value(delayed(add_up)(vec![1.0, 2.5], 0.5)), 4.0);
    assert_eq!(value(delayed(grow)(vec![1, 2], delayed(double)(2))), [1, 2, 4]);
    assert_eq!(value(delayed(describe)(1, 2)), "1 1 first 2");
    assert_eq!(value(delayed(note)()), "first");
    assert_eq!(value(delayed(factorial)(5)), 120);
    assert_eq!(value(delayed(twelve)(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(value(delayed(wrap)(1)), Some(Private(1)));
    assert_eq!(value(delayed(unwrap_all)(vec![Private(1)], (Private(2), [Private(3), Private(4)]))), 10);

    let parts = <both as task_support::Task>::parts(value(delayed(both)(7)));
    assert_eq!((parts[0].downcast_ref(), parts[1].downcast_ref()), (Some(&7i64), Some(&"7".to_string())));
    assert_eq!(<double as task_support::Task>::parts(7)[0].downcast_ref(), Some(&7i64));

    let text = String::from(" 42 ");
    assert_eq!(value(delayed(parse)(text.as_str())), 42);
    assert_eq!(value(delayed(parse)(text)), 42);
    assert_eq!(delayed(refuse)("no".to_string()).outcome.expect_err("it refuses").message, "no");
    assert!(delayed(parse)("x").outcome.expect_err("no number").message.contains("invalid digit"));
    assert!(delayed(read_file)("/no/such/file").outcome.is_err());

    let doubling = delayed(double);
    let one = doubling(1);
    assert_eq!((one.task, one.origin.line()), (concat!(module_path!(), "::double"), line!() - 2));
    assert_eq!((value(one), value(doubling(2))), (2, 4));

    assert_eq!((seven(), double(4), add_up(&[1.0], &2.0), factorial(3)), (7, 8, 3.0, 6));
    assert_eq!(parse("17"), Ok(17));
    assert_eq!(describe(1, &TaskContext { attempt: 2, note: "mine" }, &3), "1 2 mine 3");
    assert_eq!(format!("{seven:?}"), "seven");
}
