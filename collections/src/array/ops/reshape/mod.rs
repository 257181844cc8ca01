//! `reshape`, `ravel` and `flatten`: the same elements, in row-major order, in another shape.
//!
//! Axes are looked at in the smallest groups whose products agree; within a group blocks are brought into a form in which each is one
//! stretch of elements before and after, and then every block gets its new shape by itself.

mod flat;

use std::ops::Range;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, tuple};
use crate::array::rechunk::rechunk;
use crate::array::{DArray, Element, Node, Step};
use flat::{Way, way};

impl<T: Element> DArray<T> {
    /// The same elements, in row-major order, in another shape. One length may be -1: it is what the others leave.
    ///
    /// Chunks become such that as few elements as possible move from one to another.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::arange(0, 6, 1, 4);
    /// assert_eq!(x.reshape([2, -1]).compute()?, array![[0, 1, 2], [3, 4, 5]].into_dyn());
    /// assert_eq!(x.reshape([3, 2]).ravel().compute()?, x.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of elements; sizes of chunks that are not known.
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoIterator<Item = isize>) -> DArray<T> {
        DArray::then(Reshape { shape: shape.into_iter().collect() }, vec![self.to_any()], ".reshape(…)")
    }

    /// All elements, in row-major order, along one axis.
    ///
    /// # Errors
    /// At `compute`: sizes of chunks that are not known.
    #[doc(alias = "flatten")]
    #[track_caller]
    pub fn ravel(&self) -> DArray<T> {
        if self.untyped().meta().is_ok_and(|meta| meta.ndim() == 1) {
            return self.clone();
        }
        DArray::then(Reshape { shape: vec![-1] }, vec![self.to_any()], ".ravel()")
    }
}

struct Reshape {
    shape: Vec<isize>,
}

/// How an array gets another shape: cut anew, in blocks of another shape, and where one cutting does not do, once more.
struct Plan {
    /// The cuts in which blocks are stretches of elements.
    before: Vec<Cuts>,
    /// What becomes of these, and the cuts that these are brought into, where they differ.
    between: Option<(Vec<Cuts>, Vec<Cuts>)>,
    after: Vec<Cuts>,
}

impl Reshape {
    /// The new shape, in numbers.
    fn shape(&self, old: &[usize]) -> Result<Vec<usize>, Failure> {
        let elements: usize = old.iter().product();
        let misfit = || {
            let what = format!("an array of shape {} cannot be one of shape {}", tuple(old), tuple(&self.shape));
            Failure::new(Code::ShapeMismatch, what).help("both must have as many elements; one length may be -1 for what is left")
        };
        let open = self.shape.iter().filter(|len| **len < 0).count();
        let mut known = self.shape.iter().filter(|len| **len >= 0);
        let known = known.try_fold(1usize, |product, len| product.checked_mul(*len as usize)).ok_or_else(misfit)?;
        let left = if open == 1 && known > 0 { elements / known } else { 1 };
        if open > 1 || self.shape.iter().any(|len| *len < -1) || known * left != elements || (open == 1 && known == 0) {
            return Err(misfit());
        }
        Ok(self.shape.iter().map(|len| usize::try_from(*len).unwrap_or(left)).collect())
    }

    fn plan(&self, meta: &Meta) -> Result<Plan, Failure> {
        let (old, sizes) = (meta.shape()?, meta.sizes()?);
        let new = self.shape(&old)?;
        if old.contains(&0) || new.contains(&0) {
            let whole = |shape: &[usize]| shape.iter().map(|len| Cuts::whole(*len)).collect::<Vec<Cuts>>();
            return Ok(Plan { before: whole(&old), between: None, after: whole(&new) });
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let (mut flat, mut again, mut twice) = (Vec::new(), Vec::new(), false);
        for (from, to) in groups(&old, &new) {
            let cuts: Vec<&[usize]> = sizes[from.clone()].iter().map(|sizes| &**sizes).collect();
            match way(&old[from], &cuts, &new[to]) {
                Way::Once { from, to } => {
                    before.extend(from);
                    flat.extend(to.clone());
                    again.extend(to.clone());
                    after.extend(to);
                }
                Way::Twice { from, flat: first, again: second, to } => {
                    twice = true;
                    before.extend(from);
                    flat.push(first);
                    again.push(second);
                    after.extend(to);
                }
            }
        }
        Ok(Plan { before, between: twice.then_some((flat, again)), after })
    }
}

/// The smallest groups of axes, before and after, whose lengths have the same product. No length is zero.
fn groups(old: &[usize], new: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
    let (mut at, mut to) = (0, 0);
    let mut found = Vec::new();
    while at < old.len() || to < new.len() {
        let first = (at, to);
        let (mut before, mut after) = (1, 1);
        if at < old.len() {
            before *= old[at];
            at += 1;
        }
        if to < new.len() {
            after *= new[to];
            to += 1;
        }
        while before != after {
            if before < after {
                before *= old[at];
                at += 1;
            } else {
                after *= new[to];
                to += 1;
            }
        }
        found.push((first.0..at, first.1..to));
    }
    found
}

impl Step for Reshape {
    fn line(&self) -> String {
        format!("reshape to {}", tuple(&self.shape))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: inputs[0].dtype, cuts: self.plan(inputs[0])?.after })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let plan = self.plan(meta)?;
        let input = lowering.of(&node.inputs[0]);
        let mut input = rechunk(lowering, input, meta, &plan.before, node);
        let of = |cuts: Vec<Cuts>| Meta { dtype: meta.dtype, cuts };
        if let Some((flat, again)) = plan.between {
            let flat = of(flat);
            input = self.layer(lowering, input, &flat, node)?;
            input = rechunk(lowering, input, &flat, &again, node);
        }
        self.layer(lowering, input, &of(plan.after), node)
    }
}

impl Reshape {
    /// Gives each block its new shape. Grids of both have the blocks in the same order.
    fn layer(&self, lowering: &mut Lowering, input: Lowered, to: &Meta, node: &Node) -> Result<Lowered, Failure> {
        let args = to.places()?.into_iter().map(|place| Arg::encode(&place.shape)).collect();
        let op = OpRef::new(ReshapeBlock, self.line());
        Ok(lowering.add(Layer::with_args("reshape", op, args, vec![input.edge(Wiring::Each)]), node))
    }
}

/// A block in another shape.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReshapeBlock;

impl Operator for ReshapeBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let shape: Vec<usize> = ctx.arg()?.decode()?;
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("reshape: no block"))??;
        Ok(Chunk::new(block.reshaped(&shape)?))
    }
}

impl NamedOperator for ReshapeBlock {
    const NAME: &'static str = "array_reshape";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_as_small_as_can_be() {
        assert_eq!(groups(&[10, 20, 30], &[10, 600]), [(0..1, 0..1), (1..3, 1..2)]);
        assert_eq!(groups(&[6, 4], &[8, 3]), [(0..2, 0..2)]);
        assert_eq!(groups(&[2, 3, 1], &[6]), [(0..2, 0..1), (2..3, 1..1)]);
        assert_eq!(groups(&[6], &[1, 6]), [(0..1, 0..2)]);
        assert_eq!(groups(&[], &[1, 1]), [(0..0, 0..1), (0..0, 1..2)]);
        assert!(groups(&[], &[]).is_empty());
    }
}
