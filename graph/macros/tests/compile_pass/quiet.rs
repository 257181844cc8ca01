//! What the macros write gives no warning of its own, and leaves the user's attributes where they mean something.
#![deny(warnings, future_incompatible, nonstandard_style, elided_lifetimes_in_paths)]

extern crate self as partita;

#[path = "../contract/mod.rs"]
mod contract;

pub use contract::{Delayed, Error, delayed, graph, task_support};

#[deny(missing_docs)]
pub mod documented {
    //! Everything public has its words.

    use partita_macros::{task, worker_state};

    /// Adds.
    #[task]
    pub fn add(a: i64, b: i64) -> i64 {
        a + b
    }

    /// Adds later.
    #[task]
    pub async fn add_later(a: i64, b: i64) -> i64 {
        add(a, b)
    }

    /// What adding starts from.
    #[worker_state]
    pub fn zero() -> i64 {
        0
    }
}

pub mod attributes {
    use partita_macros::{task, worker_state};

    #[deprecated(note = "it is old")]
    #[task]
    pub fn old(a: i64) -> i64 {
        a
    }

    #[task]
    #[deprecated]
    pub async fn old_and_slow(a: i64) -> i64 {
        a
    }

    #[deprecated]
    #[worker_state]
    pub fn old_state() -> i64 {
        1
    }

    #[inline]
    #[must_use]
    #[allow(unreachable_code)]
    #[task]
    pub fn early(a: &str) -> usize {
        return a.len();
        0
    }

    #[track_caller]
    #[task]
    pub fn line() -> u32 {
        std::panic::Location::caller().line()
    }

    #[cfg(any())]
    #[task]
    pub fn absent(a: NoSuchType) {}

    #[cfg(not(any()))]
    #[task]
    pub fn absent(_a: i64) {}
}

#[allow(deprecated)]
fn main() {
    use attributes::{absent, early, line, old, old_and_slow, old_state};
    assert_eq!(delayed(documented::add)(1, 2).outcome.expect("it adds"), 3);
    assert_eq!(delayed(documented::add_later)(1, 2).outcome.expect("it adds"), 3);
    assert_eq!(*documented::zero::get().expect("it is built"), 0);
    assert_eq!(delayed(old)(1).outcome.expect("it is old"), 1);
    assert_eq!(delayed(old_and_slow)(1).outcome.expect("it is slow"), 1);
    assert_eq!(*old_state::get().expect("it is built"), 1);
    assert_eq!(delayed(early)("four").outcome.expect("it returns"), 4);
    assert!(delayed(line)().outcome.expect("it is somewhere") > 0);
    delayed(absent)(1).outcome.expect("it is there");
}
