//! `compress`: the parts of an array along one axis for which a mask is true.

use ndarray::Axis;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::alike::FIND_SIZES;
use crate::array::block::{Block, block_of};
use crate::array::element::{Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, axis_of};
use crate::array::rechunk::rechunk;
use crate::array::wiring::follow;
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// What lies along an axis where `mask`, which has that axis alone, is true. Negative axes count from the back.
    ///
    /// How long chunks become is known only after they were made; see [`DArray::compute_chunk_sizes`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 1);
    /// let mask = DArray::from_array(array![true, false, true], 2);
    /// assert_eq!(x.compress(&mask, 1).compute()?, array![[1, 3], [4, 6]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, a mask of another length or of several axes.
    #[doc(alias = "filter")]
    #[track_caller]
    pub fn compress(&self, mask: &DArray<bool>, axis: isize) -> DArray<T> {
        DArray::then(Compress { axis }, vec![self.to_any(), mask.to_any()], ".compress(…)")
    }
}

struct Compress {
    axis: isize,
}

impl Step for Compress {
    fn line(&self) -> String {
        format!("compress along axis {}", self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let (array, mask) = (inputs[0], inputs[1]);
        let axis = axis_of(self.axis, array.ndim())?;
        let fits = match &mask.cuts[..] {
            [cuts] => cuts.len() == array.cuts[axis].len() && (cuts.len().is_some() || cuts.count() == array.cuts[axis].count()),
            _ => false,
        };
        if !fits {
            let what = format!("a mask of shape {} for axis {axis} of an array of shape {}", mask.show_shape(), array.show_shape());
            return Err(Failure::new(Code::ShapeMismatch, what).help("the mask has one axis, as long as that of the array"));
        }
        let mut cuts = array.cuts.clone();
        cuts[axis] = Cuts::Unknown(u32::try_from(cuts[axis].count()).unwrap_or(u32::MAX));
        Ok(Meta { dtype: array.dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (array, mask) = (node.inputs[0].meta()?, node.inputs[1].meta()?);
        let axis = axis_of(self.axis, array.ndim())?;
        let cuts = std::slice::from_ref(&array.cuts[axis]);
        let input = lowering.of(&node.inputs[1]);
        let mask = rechunk(lowering, input, mask, cuts, node);
        let wiring = follow(&[cuts[0].count()], &array.grid(), &[Some(axis)]);
        let op = OpRef::new(CompressBlock { axis: axis as u32 }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each), mask.edge(wiring)];
        Ok(lowering.add(Layer::single("compress", array.blocks()?, op, edges), node))
    }
}

/// The parts of a block for which a block of a mask is true.
#[derive(Serialize, Deserialize)]
pub(crate) struct CompressBlock {
    axis: u32,
}

impl Operator for CompressBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [array, mask] = inputs else { return Err(Failure::internal("compress: an array and a mask")) };
        let (array, mask) = (block_of(array)?, block_of(mask)?);
        let mask = mask.view::<bool>()?;
        if array.shape().get(self.axis as usize) != Some(&mask.len()) {
            let what = format!("a mask of {} elements for a chunk of {:?} along axis {}", mask.len(), array.shape(), self.axis);
            return Err(Failure::new(Code::ShapeMismatch, what).help(FIND_SIZES));
        }
        let kept: Vec<usize> = mask.iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| at).collect();
        with_dtype!(array.dtype(), T => select::<T>(array, self.axis as usize, &kept)).map(Chunk::new)
    }
}

impl NamedOperator for CompressBlock {
    const NAME: &'static str = "array_compress";
}

fn select<T: Held>(block: &Block, axis: usize, kept: &[usize]) -> Result<Block, Failure> {
    Ok(Block::from_array(block.view::<T>()?.select(Axis(axis), kept)))
}
