//! Predicates go as far down as they can, best into the reader. A conjunction goes part by part.

use std::sync::Arc;

use partita_graph::Failure;
use polars::prelude::{Expr, Operator};

use crate::frame::expr::can_fail;
use crate::frame::ops::filter::Filter;
use crate::frame::{Admission, DFrame};

/// Pushes every filter of the expression down.
pub(super) fn push(frame: &DFrame) -> Result<DFrame, Failure> {
    let inputs = frame.node().inputs.iter().map(push).collect::<Result<Vec<_>, _>>()?;
    let frame = frame.rebuilt(frame.node().step.clone(), inputs);
    let Some(predicate) = frame.node().step.predicate() else { return Ok(frame) };
    let mut input = frame.node().inputs[0].clone();
    let mut kept: Option<Expr> = None;
    for part in conjuncts(predicate) {
        // A part that can fail stays behind those that were written before it.
        let sunk = if kept.is_some() && can_fail(&part) { None } else { sink(&input, &part) };
        match sunk {
            Some(below) => input = below,
            None => kept = Some(kept.map_or(part.clone(), |kept| kept.and(part))),
        }
    }
    Ok(match kept {
        None => input,
        Some(rest) => frame.rebuilt(Arc::new(Filter { predicate: rest }), vec![input]),
    })
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
fn sink(frame: &DFrame, predicate: &Expr) -> Option<DFrame> {
    let node = frame.node();
    match node.step.admit(predicate) {
        Admission::Stop => None,
        Admission::Absorb(step) => Some(frame.rebuilt(step, node.inputs.clone())),
        Admission::Through(below) => {
            let input = &node.inputs[0];
            let filter = || frame.rebuilt(Arc::new(Filter { predicate: below.clone() }), vec![input.clone()]);
            let input = sink(input, &below).unwrap_or_else(filter);
            Some(frame.rebuilt(node.step.clone(), vec![input]))
        }
        Admission::Below(parts) => {
            let below = |(input, part): (&DFrame, Option<Expr>)| match part {
                None => input.clone(),
                Some(part) => {
                    sink(input, &part).unwrap_or_else(|| frame.rebuilt(Arc::new(Filter { predicate: part.clone() }), vec![input.clone()]))
                }
            };
            let inputs = node.inputs.iter().zip(parts).map(below).collect();
            Some(frame.rebuilt(node.step.clone(), inputs))
        }
    }
}
