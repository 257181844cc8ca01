//! Expected, at each attribute: "`#[task]` stands above a function with a body, and this is a struct; move it to a function", and the
//! same for a trait's declaration, a module, and `#[worker_state]` above a static.

use partita_macros::{task, worker_state};

#[task]
pub struct Adder;

pub trait Add {
    #[task]
    fn add(a: i64) -> i64;
}

#[task]
mod tasks {}

#[worker_state]
static MODEL: i64 = 1;

fn main() {}
