//! Expected: at the types of `value` and `_others`, "the type of an argument is written out, …; write a type in place of `impl`"; at the
//! result, "the result of a task has a type that is written out, …; write a type in place of `impl`".

use partita_macros::task;

#[task]
pub fn print(value: impl std::fmt::Display) -> String {
    value.to_string()
}

#[task]
pub fn print_all(values: &[Box<dyn Fn(i64) -> i64>], _others: Vec<impl std::fmt::Display>) -> usize {
    values.len()
}

#[task]
pub fn numbers() -> impl Iterator<Item = i64> {
    0..3
}

fn main() {}
