//! Expected: at `T: Copy` and at `const N: usize`, "a task has no generic parameters, …; write the types out, …"; at `'a`, "a task has
//! no lifetimes of its own, …; write `&T` without a lifetime"; at the clause, "a task has no `where` clause, …; take it away".

use partita_macros::task;

#[task]
pub fn first<T: Copy>(values: Vec<T>) -> T {
    values[0]
}

#[task]
pub fn take<const N: usize>(values: [i64; N]) -> i64 {
    values[0]
}

#[task]
pub fn count<'a>(text: &'a str) -> usize {
    text.len()
}

#[task]
pub fn add(a: i64) -> i64
where
    i64: Copy,
{
    a
}

fn main() {}
