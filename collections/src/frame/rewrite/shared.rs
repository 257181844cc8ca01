//! Frames that several steps read, and frames that are the same work though they were written twice: both are made once.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::{Failure, LayerId};

use crate::frame::DFrame;
use crate::frame::lower::Lowering;

/// All frames of an expression, each once and after those that it reads.
pub(crate) fn in_order(frame: &DFrame) -> Vec<DFrame> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    // By hand, because a chain of many steps would end the stack.
    let mut stack = vec![(frame.clone(), 0)];
    while let Some((top, next)) = stack.pop() {
        if seen.contains(&top.address()) {
            continue;
        }
        match top.node().inputs.get(next).cloned() {
            Some(input) => {
                stack.push((top, next + 1));
                stack.push((input, 0));
            }
            None => {
                seen.insert(top.address());
                order.push(top);
            }
        }
    }
    order
}

/// The addresses of the frames of an expression that several steps read.
pub(crate) fn read_by_several(frame: &DFrame) -> BTreeSet<usize> {
    Shared::among(&in_order(frame)).0
}

/// Which frames have several readers.
pub(super) struct Shared(BTreeSet<usize>);

impl Shared {
    pub fn among(frames: &[DFrame]) -> Self {
        let (mut once, mut several) = (BTreeSet::new(), BTreeSet::new());
        for input in frames.iter().flat_map(|frame| &frame.node().inputs) {
            if !once.insert(input.address()) {
                several.insert(input.address());
            }
        }
        Self(several)
    }

    pub fn holds(&self, frame: &DFrame) -> bool {
        self.0.contains(&frame.address())
    }
}

/// Frames that are the same work become one frame. The same work has the same layer, so both are lowered and their layers compared.
pub(super) fn unite(frame: &DFrame) -> Result<DFrame, Failure> {
    let all = in_order(frame);
    if all.iter().filter(|frame| frame.node().inputs.is_empty()).count() < 2 {
        // All of it stands on one reader, so what is the same is written once or differs above it.
        return Ok(frame.clone());
    }
    let mut lowering = Lowering::default();
    let mut first: BTreeMap<(LayerId, usize, bool), DFrame> = BTreeMap::new();
    let mut made: BTreeMap<usize, DFrame> = BTreeMap::new();
    for frame in &all {
        let layer = lowering.frame(frame)?.layer;
        let inputs: Vec<DFrame> = frame.node().inputs.iter().map(|input| made[&input.address()].clone()).collect();
        let moved = inputs.iter().zip(&frame.node().inputs).any(|(new, old)| new.address() != old.address());
        let same = if moved { frame.rebuilt(frame.node().step.clone(), inputs) } else { frame.clone() };
        // Steps that do nothing have the layer of what they read, so the number of columns tells them apart from it, and promises say so.
        let (width, promises) = (same.resolved()?.len(), same.node().step.is_promise());
        let one = first.entry((layer, width, promises)).or_insert_with(|| same.clone()).clone();
        let fits = one.resolved()? == same.resolved()?;
        made.insert(frame.address(), if fits { one } else { same });
    }
    Ok(made[&frame.address()].clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    #[test]
    fn each_frame_comes_once_and_after_what_it_reads() {
        let base = DFrame::from_polars(df!("x" => [1, 2]).expect("a column"), 2);
        let twice = DFrame::concat([base.select(["x"]), base.clone(), base.clone()]);
        let order = in_order(&twice);
        assert_eq!(order.len(), 3);
        assert_eq!((order[0].address(), order[2].address()), (base.address(), twice.address()));
        assert!(Shared::among(&order).holds(&base) && !Shared::among(&order).holds(&order[1]));
    }
}
