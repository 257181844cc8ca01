//! A transform along one axis as a step: its shape rule and its layers.

use std::sync::Arc;

use partita_graph::{Code, Failure, Layer, OpRef, Origin, Wiring};

use super::how::{Fft, FftNorm, Usual};
use super::lanes::{Transform, TransformLanes};
use crate::array::budget::Budget;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, unknown_sizes};
use crate::array::rechunk::rechunk;
use crate::array::{AnyArray, Chunks, DArray, Element, Node, Step};

/// What a call with these options gives, axis after axis. Of a transform that begins or ends with real numbers it is the last of the named
/// axes along which only half of the result is kept.
#[track_caller]
pub(super) fn transformed<U: Element>(array: &AnyArray, transform: Transform, how: &Fft, usual: Usual, method: &str) -> DArray<U> {
    let origin = Origin::here(method);
    let meta = match array.meta() {
        Ok(meta) => meta,
        Err(failure) => return DArray::failed(failure, method),
    };
    let axes = match how.axes_of(meta, usual) {
        Ok(axes) => axes,
        Err(failure) => return DArray::failed(failure, method),
    };
    let budget = Budget::planned();
    let (last, rest) = axes.split_last().expect("a transform goes along an axis");
    let along = |array: AnyArray, transform: Transform, (axis, n): &(usize, Option<usize>)| {
        let step = AlongAxis { transform, axis: *axis, n: *n, norm: how.scaling(), given: meta.cuts.clone(), budget };
        AnyArray::build(Arc::new(step), vec![array], origin.clone())
    };
    let found = match transform {
        // What is real comes in first, or goes out last.
        Transform::InverseReal => {
            let complex = rest.iter().fold(array.clone(), |found, axis| along(found, Transform::Inverse, axis));
            along(complex, transform, last)
        }
        Transform::Forward | Transform::Inverse | Transform::Real => {
            let others = if transform.is_forward() { Transform::Forward } else { Transform::Inverse };
            rest.iter().rev().fold(along(array.clone(), transform, last), |found, axis| along(found, others, axis))
        }
    };
    DArray::of(found)
}

struct AlongAxis {
    transform: Transform,
    axis: usize,
    /// Over how many elements; `None` for all.
    n: Option<usize>,
    norm: FftNorm,
    /// How the array was cut that the call was given: axes that other transforms brought into one chunk are cut so again.
    given: Vec<Cuts>,
    /// What a task may hold: blocks that would be larger are cut along other axes.
    budget: Budget,
}

impl AlongAxis {
    /// Over how many elements it goes, of an axis of this length.
    fn count(&self, len: usize) -> Result<usize, Failure> {
        let all = match self.transform {
            Transform::InverseReal => 2 * len.saturating_sub(1),
            Transform::Forward | Transform::Inverse | Transform::Real => len,
        };
        let count = self.n.unwrap_or(all);
        if count == 0 {
            let what = format!("a transform over no elements, along axis {} of {len} elements", self.axis);
            return Err(Failure::new(Code::InvalidOption, what).help("say over how many: Fft::along(axis).len(n)"));
        }
        Ok(count)
    }

    fn len(&self, meta: &Meta) -> Result<usize, Failure> {
        meta.cuts[self.axis].len().ok_or_else(|| unknown_sizes(self.axis))
    }

    /// The array that is transformed, with the axis in one chunk.
    fn whole(&self, meta: &Meta) -> Result<Meta, Failure> {
        let len = self.len(meta)?;
        let cuts = |at: usize| match (meta.cuts[at].len(), &self.given[at]) {
            _ if at == self.axis => Cuts::whole(len),
            (Some(now), given @ Cuts::Known(_)) if given.len() == Some(now) => given.clone(),
            (Some(now), Cuts::Known(sizes)) => Cuts::even(now, sizes.iter().copied().max().unwrap_or(now)),
            _ => meta.cuts[at].clone(),
        };
        // Tasks hold complex numbers, whatever they read.
        let whole = Meta { dtype: meta.dtype.complex(), cuts: (0..meta.ndim()).map(cuts).collect() };
        let axes: Vec<bool> = (0..meta.ndim()).map(|at| at == self.axis).collect();
        Ok(Meta { dtype: meta.dtype, cuts: Chunks::held(whole, &axes, self.budget)? })
    }
}

impl Step for AlongAxis {
    fn line(&self) -> String {
        format!("{} along axis {}", self.transform.name(), self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let count = self.count(self.len(inputs[0])?)?;
        let mut cuts = self.whole(inputs[0])?.cuts;
        cuts[self.axis] = Cuts::whole(self.transform.made(count));
        Ok(Meta { dtype: self.transform.dtype(inputs[0].dtype), cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let (whole, count) = (self.whole(meta)?, self.count(self.len(meta)?)?);
        let input = rechunk(lowering, lowering.of(&node.inputs[0]), meta, &whole.cuts, node);
        let factor = self.norm.factor(self.transform.is_forward(), count);
        let op = OpRef::new(TransformLanes::new(self.transform, self.axis, count, factor), self.line());
        Ok(lowering.add(Layer::single("fft", whole.blocks()?, op, vec![input.edge(Wiring::Each)]), node))
    }
}
