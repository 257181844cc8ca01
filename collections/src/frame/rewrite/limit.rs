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
        let less = match node.step.first_rows() {
            Some(rows) => limited(&same, rows, alone, &shared),
            None if alone => below(&same, &shared),
            None => None,
        };
        made.insert(frame.address(), less.unwrap_or(same));
    }
    Ok(made[&frame.address()].clone())
}

/// A step that needs the first rows, over an input that makes no more of each partition.
fn limited(frame: &DFrame, rows: u64, alone: bool, shared: &Shared) -> Option<DFrame> {
    let input = frame.node().inputs.first()?;
    // Whoever else reads what is sorted: the first rows are found in one pass over what is below the sort, which is made once for both. So
    // how many partitions there are does not depend on other readers.
    let less = match first_sorted(input, rows, shared) {
        Some(first) => first,
        None if alone => within(input, (rows, frame.node().step.first_of_all()), shared)?,
        None => return None,
    };
    Some(frame.rebuilt(frame.node().step.clone(), vec![less]))
}

/// The first rows of a sort, also of one under steps that work row by row.
fn first_sorted(frame: &DFrame, rows: u64, shared: &Shared) -> Option<DFrame> {
    let node = frame.node();
    let [input] = &node.inputs[..] else { return None };
    if let Some(first) = node.step.first_sorted(rows) {
        let first = frame.rebuilt(first, vec![input.clone()]);
        return Some(below(&first, shared).unwrap_or(first));
    }
    let less = if node.step.is_row_by_row() { first_sorted(input, rows, shared)? } else { return None };
    Some(frame.rebuilt(node.step.clone(), vec![less]))
}

/// At most so many rows of each partition of a frame, or of all of them, if that saves anything.
fn within(frame: &DFrame, (rows, of_all): (u64, bool), shared: &Shared) -> Option<DFrame> {
    let node = frame.node();
    if let Some(step) = node.step.limited(rows, of_all) {
        return Some(frame.rebuilt(step, node.inputs.clone()));
    }
    if !node.step.is_row_by_row() || node.inputs.is_empty() {
        return None;
    }
    let less = node.inputs.iter().map(|input| {
        let first = || frame.rebuilt(Arc::new(FirstOfEach { rows }), vec![input.clone()]);
        if shared.holds(input) { first() } else { within(input, (rows, of_all), shared).unwrap_or_else(first) }
    });
    let less = less.collect();
    Some(frame.rebuilt(node.step.clone(), less))
}

/// A step that does the same below the step under it, unless others read that too.
fn below(frame: &DFrame, shared: &Shared) -> Option<DFrame> {
    let input = frame.node().inputs.first().filter(|input| !shared.holds(input))?;
    let under = input.node();
    if let Some(reader) = frame.node().step.of_reader(&*under.step) {
        let less = frame.node().inputs[0].rebuilt(reader, under.inputs.clone());
        return Some(frame.rebuilt(frame.node().step.clone(), vec![less]));
    }
    let [input] = &under.inputs[..] else { return None };
    if !under.step.is_row_by_row() {
        return None;
    }
    let step = frame.node().step.below(under)?;
    let lower = frame.rebuilt(step, vec![input.clone()]);
    let lower = below(&lower, shared).unwrap_or(lower);
    Some(frame.node().inputs[0].rebuilt(under.step.clone(), vec![lower]))
}
