//! Expected: at `fmt::Result`, "the result of a task names its value, which the alias hides; write `Result<T, E>` with both types"; at `!`,
//! "the result of a task is a value, and `!` has none; …".

use std::fmt;

use partita_macros::task;

#[task]
pub fn check(a: i64) -> fmt::Result {
    if a > 0 { Ok(()) } else { Err(fmt::Error) }
}

#[task]
pub fn stop() -> ! {
    std::process::exit(1)
}

fn main() {}
