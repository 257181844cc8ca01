//! Steps that need the first rows only, or the first by some keys, have less done below them.
//!
//! Neither goes below a filter or anything else that takes rows away, and no reader that others read too is limited.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_graph::Failure;

use super::shared::{Shared, in_order};
use crate::frame::DFrame;
use crate::frame::ops::slice::FirstOfEach;

/// Lets readers and steps that work row by row do no more than is needed.
pub(super) fn push(frame: &DFrame) -> Result<DFrame, Failure> {
    let all = in_order(frame);
    let shared = Shared::among(&all);
    let mut made: BTreeMap<usize, DFrame> = BTreeMap::new();
    for frame in &all {
        let node = frame.node();
        let done: Vec<DFrame> = node.inputs.iter().map(|input| made[&input.address()].clone()).collect();
        let moved = done.iter().zip(&node.inputs).any(|(new, old)| new.address() != old.address());
        let same = if moved { frame.rebuilt(node.step.clone(), done) } else { frame.clone() };
        let alone = node.inputs.first().is_some_and(|input| !shared.holds(input));
        let less = match node.step.first_rows().filter(|_| alone) {
            Some(rows) => limited(&same, rows, &shared),
            None if alone => below(&same),
            None => None,
        };
        made.insert(frame.address(), less.unwrap_or(same));
    }
    Ok(made[&frame.address()].clone())
}

/// A step that needs the first rows, over an input that makes no more of each partition.
fn limited(frame: &DFrame, rows: u64, shared: &Shared) -> Option<DFrame> {
    let input = frame.node().inputs.first()?;
    let less = within(input, rows, shared)?;
    Some(frame.rebuilt(frame.node().step.clone(), vec![less]))
}

/// At most so many rows of each partition of a frame, if that saves anything.
fn within(frame: &DFrame, rows: u64, shared: &Shared) -> Option<DFrame> {
    let node = frame.node();
    if let Some(step) = node.step.limited(rows) {
        return Some(frame.rebuilt(step, node.inputs.clone()));
    }
    if !node.step.is_row_by_row() {
        return None;
    }
    let input = node.inputs.first()?;
    let first = || frame.rebuilt(Arc::new(FirstOfEach { rows }), vec![input.clone()]);
    let less = if shared.holds(input) { first() } else { within(input, rows, shared).unwrap_or_else(first) };
    Some(frame.rebuilt(node.step.clone(), vec![less]))
}

/// A step that does the same below the step under it.
fn below(frame: &DFrame) -> Option<DFrame> {
    let under = frame.node().inputs.first()?.node();
    let [input] = &under.inputs[..] else { return None };
    if !under.step.is_row_by_row() {
        return None;
    }
    let step = frame.node().step.below(&*under.step)?;
    let lower = frame.rebuilt(step, vec![input.clone()]);
    let lower = below(&lower).unwrap_or(lower);
    Some(frame.node().inputs[0].rebuilt(under.step.clone(), vec![lower]))
}
