//! Expected: at the second context, "the context is given once, and a parameter before takes it; take this one away"; at the one by value,
//! "the context is lent to the task; write `&TaskContext<'_>`".

use partita_macros::task;

pub struct TaskContext<'a>(pub &'a str);

#[task]
pub fn compare(one: &TaskContext<'_>, a: i64, two: &TaskContext<'_>) -> bool {
    a == 1 && one.0 == two.0
}

#[task]
pub fn own(context: TaskContext<'_>) -> usize {
    context.0.len()
}

fn main() {}
