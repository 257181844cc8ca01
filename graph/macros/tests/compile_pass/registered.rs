//! Every task is registered from the start of the program: by its path or its given name, with its parameters and whether it is pure.
#![deny(warnings)]

extern crate self as partita;

#[path = "../contract/mod.rs"]
mod contract;

pub use contract::{Delayed, Error, graph, task_support};
use partita_macros::task;
use task_support::{Task, TaskEntry};

mod inner {
    use partita_macros::task;

    #[task(pure = false)]
    pub fn read_clock(_zone: &str, context: &super::graph::TaskContext<'_>) -> u32 {
        context.attempt
    }

    #[task(name = "load-2", pure = true)]
    pub(super) fn load(path: String, bytes: u64) -> String {
        format!("{path} {bytes}")
    }
}

#[task]
fn r#move(r#in: i64) -> i64 {
    r#in
}

fn entry(name: &str) -> (&'static [&'static str], bool) {
    let found: Vec<_> = inventory::iter::<TaskEntry>.into_iter().filter(|entry| entry.name == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    (found[0].parameters, found[0].pure)
}

fn main() {
    #[task]
    fn local(a: i64) -> i64 {
        a
    }

    let here = |name: &str| format!("{}::{name}", module_path!());
    assert_eq!(entry(&here("inner::read_clock")), (["_zone"].as_slice(), false));
    assert_eq!(entry("load-2"), (["path", "bytes"].as_slice(), true));
    assert_eq!(entry(&here("move")), (["in"].as_slice(), true));
    assert_eq!(entry(&here("local")), (["a"].as_slice(), true));
    assert_eq!(inventory::iter::<TaskEntry>.into_iter().count(), 4);

    assert_eq!(<inner::load as Task>::NAME, "load-2");
    assert_eq!((r#move(1), local(2), inner::load("a".into(), 3)), (1, 2, "a 3".to_string()));
}
