//! Expected: at the tuple, "a parameter has a name, by which messages call its argument; write a name here, and take the value apart in
//! the body"; at `_`, "…; write `_unused` for one that is not read"; at the last, "a parameter cannot have the name of the task, …".

use partita_macros::task;

#[task]
pub fn add((a, b): (i64, i64)) -> i64 {
    a + b
}

#[task]
pub fn ignore(_: i64) {}

#[task]
pub fn score(score: i64) -> i64 {
    score
}

fn main() {}
