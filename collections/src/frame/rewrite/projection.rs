//! Only the columns that somebody needs are made, and only those are read.
//!
//! A frame that several steps read is made once, with the columns of all of them; each of them then picks its own.

use std::collections::BTreeMap;

use partita_graph::Failure;

use super::shared::{Shared, in_order};
use crate::frame::DFrame;
use crate::frame::expr::Names;
use crate::frame::ops::select::Select;
use crate::frame::shuffle::named;

/// Narrows every step to what is wanted of it. The last step keeps all its columns.
pub(super) fn push(frame: &DFrame) -> Result<DFrame, Failure> {
    let all = in_order(frame);
    let shared = Shared::among(&all);
    let mut wanted: BTreeMap<usize, Names> = BTreeMap::new();
    wanted.insert(frame.address(), frame.resolved()?.iter_names().cloned().collect());
    // Readers before what they read, so that all is known of a frame when its turn comes.
    for frame in all.iter().rev() {
        let of_frame = wanted.get(&frame.address()).cloned().unwrap_or_default();
        for (at, needed) in needs(frame, &of_frame)?.into_iter().enumerate() {
            wanted.entry(frame.node().inputs[at].address()).or_default().extend(needed);
        }
    }
    let mut made: BTreeMap<usize, DFrame> = BTreeMap::new();
    for frame in &all {
        let of_frame = &wanted[&frame.address()];
        let step = frame.node().step.narrow(of_frame).unwrap_or_else(|| frame.node().step.clone());
        let needed = needs(frame, of_frame)?;
        let inputs = frame.node().inputs.iter().zip(&needed);
        let carries = of_frame.len() < frame.resolved()?.len() && frame.node().step.narrow(of_frame).is_none();
        let inputs = inputs.map(|(input, needed)| match shared.holds(input) || (carries && exists(input)) {
            true => picked(&made[&input.address()], needed),
            false => Ok(made[&input.address()].clone()),
        });
        let inputs = inputs.collect::<Result<Vec<_>, Failure>>()?;
        made.insert(frame.address(), frame.rebuilt(step, inputs));
    }
    Ok(made[&frame.address()].clone())
}

/// The columns without which a frame cannot give what is wanted of it, for each of its inputs.
fn needs(frame: &DFrame, wanted: &Names) -> Result<Vec<Names>, Failure> {
    let node = frame.node();
    let step = node.step.narrow(wanted).unwrap_or_else(|| node.step.clone());
    node.inputs.iter().enumerate().map(|(at, input)| Ok(step.needs_of(at, wanted, input.resolved()?))).collect()
}

/// Whether a frame is there with all its columns already. A step that hands on whole rows would move those that nobody wants.
fn exists(frame: &DFrame) -> bool {
    frame.node().step.persisted().is_some()
}

/// Some columns of a frame that has more for others. At least one, because a frame without columns would lose its rows.
fn picked(frame: &DFrame, needed: &Names) -> Result<DFrame, Failure> {
    let names: Vec<_> = frame.resolved()?.iter_names().collect();
    let kept: Vec<_> = names.iter().filter(|name| needed.contains(**name)).map(|name| (*name).clone()).collect();
    if kept.is_empty() || kept.len() == names.len() {
        return Ok(frame.clone());
    }
    Ok(frame.rebuilt(std::sync::Arc::new(Select { exprs: named(kept) }), vec![frame.clone()]))
}
