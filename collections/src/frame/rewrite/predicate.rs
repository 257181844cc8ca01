//! Predicates go as far down as they can, best into the reader. A conjunction goes part by part.
//!
//! They do not go below work that others need too, such as a join that is read twice: it would be done once with them and once without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partita_graph::Failure;
use polars::prelude::{Expr, Operator};

use super::shared::{Shared, in_order};
use crate::frame::ops::filter::Filter;
use crate::frame::{Admission, DFrame};

/// Pushes every filter of the expression down. A frame without filters below it stays the frame that it is, so that those who share it go
/// on sharing it.
pub(super) fn push(frame: &DFrame) -> Result<DFrame, Failure> {
    let all = in_order(frame);
    let shared = Shared::among(&all);
    let mut made: BTreeMap<usize, DFrame> = BTreeMap::new();
    let mut once = Once::default();
    for frame in &all {
        let inputs: Vec<DFrame> = frame.node().inputs.iter().map(|input| made[&input.address()].clone()).collect();
        let moved = inputs.iter().zip(&frame.node().inputs).any(|(new, old)| new.address() != old.address());
        let same = if moved { frame.rebuilt(frame.node().step.clone(), inputs) } else { frame.clone() };
        let pushed = if same.node().step.predicate().is_some() { push_one(&same, &once) } else { same };
        if shared.holds(frame) && !is_read(&pushed) {
            once.0.insert(pushed.address());
        }
        made.insert(frame.address(), pushed);
    }
    Ok(made[&frame.address()].clone())
}

/// Frames that several others need and that cost more than reading. All of them are alive, so addresses tell them apart.
#[derive(Default)]
struct Once(BTreeSet<usize>);

/// Whether a frame is a reader under steps that work row by row: then reading less in each place is worth more than reading once.
fn is_read(frame: &DFrame) -> bool {
    let node = frame.node();
    match &node.inputs[..] {
        [] => true,
        [input] if node.step.predicate().is_some() || node.step.is_row_by_row() => is_read(input),
        _ => false,
    }
}

/// A filter whose inputs are done.
fn push_one(frame: &DFrame, once: &Once) -> DFrame {
    let Some(predicate) = frame.node().step.predicate() else { return frame.clone() };
    let mut input = frame.node().inputs[0].clone();
    let mut kept: Option<Expr> = None;
    for part in conjuncts(predicate) {
        // A part that can fail stays behind those that were written before it.
        let sunk = if kept.is_some() && input.node().can_fail(&part) { None } else { sink(&input, &part, once) };
        match sunk {
            Some(below) => input = below,
            None => kept = Some(kept.map_or(part.clone(), |kept| kept.and(part))),
        }
    }
    match kept {
        None => input,
        Some(rest) => frame.rebuilt(Arc::new(Filter { predicate: rest }), vec![input]),
    }
}

/// The parts of `a & b & c`.
fn conjuncts(predicate: &Expr) -> Vec<Expr> {
    match predicate {
        Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } => {
            let mut parts = conjuncts(left);
            parts.extend(conjuncts(right));
            parts
        }
        other => vec![other.clone()],
    }
}

/// The frame with the predicate below its step, or `None` where it must stay above.
fn sink(frame: &DFrame, predicate: &Expr, once: &Once) -> Option<DFrame> {
    if once.0.contains(&frame.address()) {
        return None;
    }
    let node = frame.node();
    match node.admit(predicate) {
        Admission::Stop => None,
        Admission::Absorb(step) => Some(frame.rebuilt(step, node.inputs.clone())),
        Admission::Through(below) => {
            let input = &node.inputs[0];
            let filter = || frame.rebuilt(Arc::new(Filter { predicate: below.clone() }), vec![input.clone()]);
            let input = sink(input, &below, once).unwrap_or_else(filter);
            Some(frame.rebuilt(node.step.clone(), vec![input]))
        }
        Admission::Below(parts) => {
            let below = |(input, part): (&DFrame, Option<Expr>)| match part {
                None => input.clone(),
                Some(part) => sink(input, &part, once)
                    .unwrap_or_else(|| frame.rebuilt(Arc::new(Filter { predicate: part.clone() }), vec![input.clone()])),
            };
            let inputs = node.inputs.iter().zip(parts).map(below).collect();
            Some(frame.rebuilt(node.step.clone(), inputs))
        }
    }
}
