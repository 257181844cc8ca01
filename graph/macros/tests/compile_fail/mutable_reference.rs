//! Expected: at `&mut Vec<i64>`, "an argument is not changed in place, since other tasks may read it; take it by value and return what it
//! becomes"; at `&mut TaskContext<'_>`, "the context is only looked at; write `&TaskContext<'_>`".

use partita_macros::task;

pub struct TaskContext<'a>(pub &'a str);

#[task]
pub fn grow(values: &mut Vec<i64>) {
    values.push(1);
}

#[task]
pub fn rename(context: &mut TaskContext<'_>) {
    context.0 = "";
}

fn main() {}
