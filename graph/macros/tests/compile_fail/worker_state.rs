//! Expected: at the parameters, "a worker state is built without arguments, …"; at the options, "`#[worker_state]` has one option; write
//! `#[worker_state(teardown = function)]`, …"; then the sentences of tasks, with "a worker state" for "a task".

use partita_macros::worker_state;

#[worker_state]
pub fn model(path: String, size: usize) -> String {
    path[..size].to_string()
}

#[worker_state(lazy = true)]
pub fn table() -> Vec<i64> {
    Vec::new()
}

#[worker_state]
pub fn first<T: Default>() -> T {
    T::default()
}

#[worker_state]
pub fn name() -> &'static str {
    "name"
}

fn main() {}
