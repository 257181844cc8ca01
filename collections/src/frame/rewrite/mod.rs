//! Rewrites of the expression: each gives a frame with the same result that reads or moves less.
//!
//! The order matters: what is the same is made one before anything else, so that it stays one; predicates go down before joins are put in order,
//! because by them it is known how many rows are left, and before columns are left out, because a predicate inside a reader needs no column
//! above it.

mod joins;
mod limit;
mod predicate;
mod projection;
mod shared;

use partita_graph::Failure;

use super::DFrame;
pub(crate) use shared::{in_order, read_by_several};

/// A rewrite: its name in plans, and the function.
pub(crate) struct Rewrite {
    pub name: &'static str,
    pub run: fn(&DFrame) -> Result<DFrame, Failure>,
}

/// All rewrites, in the order in which they run.
pub(crate) const REWRITES: &[Rewrite] = &[
    Rewrite { name: "common work once", run: shared::unite },
    Rewrite { name: "predicate pushdown", run: predicate::push },
    Rewrite { name: "join order", run: joins::reorder },
    Rewrite { name: "limits", run: limit::push },
    Rewrite { name: "projection pushdown", run: projection::push },
];

/// Applies all of them.
pub(crate) fn rewrite(frame: &DFrame) -> Result<DFrame, Failure> {
    REWRITES.iter().try_fold(frame.clone(), |frame, rewrite| {
        let rewritten = (rewrite.run)(&frame)?;
        debug_assert_eq!(frame.resolved().ok(), rewritten.resolved().ok(), "{} changed the schema", rewrite.name);
        Ok(rewritten)
    })
}
