//! Chains of three and more inner joins are joined in the order that is likely to make the smallest intermediate results.
//!
//! It refuses to touch a chain of whose rows anybody can see the order: only chains below an aggregate that does not depend on it, or below
//! [`DFrame::any_order`], which is taken out here. Invariant: the frame that comes out has the columns of the written chain, in their order,
//! and its rows, in any order.

mod chain;
mod cost;

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::Failure;

use super::shared::{Shared, in_order};
use crate::frame::DFrame;
use chain::{Chain, is_pick};

/// Joins every chain in the cheapest order that is found.
pub(super) fn reorder(frame: &DFrame) -> Result<DFrame, Failure> {
    let all = in_order(frame);
    let shared = Shared::among(&all);
    let tops = tops(&all, &shared);
    let mut made: BTreeMap<usize, DFrame> = BTreeMap::new();
    for frame in &all {
        let node = frame.node();
        let inputs: Vec<DFrame> = node.inputs.iter().map(|input| made[&input.address()].clone()).collect();
        let moved = inputs.iter().zip(&node.inputs).any(|(new, old)| new.address() != old.address());
        if node.step.is_promise() {
            made.insert(frame.address(), inputs[0].clone());
            continue;
        }
        let better = match tops.contains(&frame.address()) {
            true => Chain::of(frame, &shared).and_then(|chain| chain.reordered(frame, |leaf| made[&leaf.address()].clone())),
            false => None,
        };
        let same = || if moved { frame.rebuilt(node.step.clone(), inputs.clone()) } else { frame.clone() };
        made.insert(frame.address(), better.unwrap_or_else(same));
    }
    Ok(made[&frame.address()].clone())
}

/// The last joins of chains of whose result nobody sees the order.
fn tops(all: &[DFrame], shared: &Shared) -> BTreeSet<usize> {
    let Some(last) = all.last() else { return BTreeSet::new() };
    let (mut minded, mut inside, mut tops) = (BTreeSet::from([last.address()]), BTreeSet::new(), BTreeSet::new());
    // Readers before what they read, so that all is known of a frame when its turn comes.
    for frame in all.iter().rev() {
        let node = frame.node();
        let is_minded = minded.contains(&frame.address());
        let sees = |at: &usize| node.step.minds_order(*at, is_minded);
        minded.extend((0..node.inputs.len()).filter(sees).map(|at| node.inputs[at].address()));
        let within = inside.contains(&frame.address());
        let links = node.step.link().is_some() && !is_minded;
        if links && !within {
            tops.insert(frame.address());
        }
        if links || (within && is_pick(frame)) {
            inside.extend(node.inputs.iter().filter(|input| !shared.holds(input)).map(DFrame::address));
        }
    }
    tops
}
