//! Expected, at each `self`: "a task has no `self`, since it runs where the object is not; move it out of the `impl`, and take what it
//! needs by name".

use partita_macros::task;

pub struct Model;

impl Model {
    #[task]
    pub fn score(&self, row: i64) -> i64 {
        row
    }

    #[task]
    pub fn consume(self) -> i64 {
        1
    }
}

fn main() {}
