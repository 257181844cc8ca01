//! Expected: at `const`, "a task runs while the program runs, never before; take `const` away"; at `extern "C"`, "a task is called from
//! Rust only; take `extern` away".

use partita_macros::task;

#[task]
pub const fn one() -> i64 {
    1
}

#[task]
pub extern "C" fn two() -> i64 {
    2
}

fn main() {}
