//! `tile` and `repeat`: an array again and again, and each of its elements several times.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, axis_of, tuple};
use crate::array::pick::{Made, Picking, as_it_is, runs};
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// The array so many times along each axis. Missing axes stand in front: those of the array have length 1, those of `times` 1.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 3, 1, 2);
    /// assert_eq!(x.tile(&[2]).compute()?.into_iter().collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
    /// assert_eq!(x.tile(&[2, 1]).shape()?, [2, 3]);
    /// assert_eq!(x.repeat(2, 0).compute()?.into_iter().collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn tile(&self, times: &[usize]) -> DArray<T> {
        let times = times.to_vec();
        self.at_least(times.len()).picked(".tile(…)", format!("tile {}", tuple(&times)), move |meta| {
            let ahead = meta.ndim().saturating_sub(times.len());
            let along = |(axis, cuts): (usize, &Cuts)| -> Vec<Made> {
                match axis.checked_sub(ahead).map_or(1, |at| times[at]) {
                    0 => vec![Made { draws: runs(&[0, 0], 0, 1, 0), order: None }],
                    times => vec![as_it_is(cuts); times].concat(),
                }
            };
            Ok(Picking::of(meta.cuts.iter().enumerate().map(along).collect()))
        })
    }

    /// Each element along an axis so many times, one after the other.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[track_caller]
    pub fn repeat(&self, times: usize, axis: isize) -> DArray<T> {
        DArray::then(Repeated { times, axis }, vec![self.to_any()], ".repeat(…)")
    }
}

struct Repeated {
    times: usize,
    axis: isize,
}

impl Step for Repeated {
    fn line(&self) -> String {
        format!("repeat {} times along axis {}", self.times, self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let axis = axis_of(self.axis, inputs[0].ndim())?;
        let mut cuts = inputs[0].cuts.clone();
        if let Cuts::Known(sizes) = &cuts[axis] {
            cuts[axis] = Cuts::Known(sizes.iter().map(|size| size * self.times).collect());
        }
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.known()?;
        let op = RepeatElements { times: self.times, axis: axis_of(self.axis, meta.ndim())? };
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("repeat", meta.blocks()?, OpRef::new(op, self.line()), edges), node))
    }
}

/// A block with each element along an axis several times.
#[derive(Serialize, Deserialize)]
pub(crate) struct RepeatElements {
    times: usize,
    axis: usize,
}

impl Operator for RepeatElements {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("repeat: no block"))??;
        let mut shape = block.shape().to_vec();
        if self.axis >= shape.len() {
            return Err(Failure::internal("repeat: a block of fewer axes"));
        }
        // A new axis behind this one, along which every element is the same, and then both as one.
        let mut order: Vec<Option<usize>> = (0..shape.len()).map(Some).collect();
        order.insert(self.axis + 1, None);
        let mut wide = shape.clone();
        wide.insert(self.axis + 1, self.times);
        shape[self.axis] *= self.times;
        let repeated = if self.times == 0 { block.strided(self.axis, 0, 1, 0) } else { block.arranged(&order).repeated(&wide) };
        Ok(Chunk::new(repeated.reshaped(&shape)?))
    }
}

impl NamedOperator for RepeatElements {
    const NAME: &'static str = "array_repeat";
}
