//! `compute_chunk_sizes`: finds the lengths of chunks that are only known after they were made.

use ndarray::ArrayD;
use partita_graph::{Chunk, Code, Executor, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance};
use crate::array::{DArray, Element, Node, Step};
use crate::client::Client;

impl<T: Element> DArray<T> {
    /// The same array with all sizes known. Runs the array if some are not, and keeps nothing of it but the lengths of its chunks;
    /// persist it first if it should not be made again.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 6, 1, 2);
    /// let mask = DArray::from_fn(6, 2, |index| index[0] % 3 != 0);
    /// let kept = x.compress(&mask, 0);
    /// assert!(kept.shape().is_err());
    /// assert_eq!(kept.compute_chunk_sizes()?.chunks()?, [vec![1, 1, 2]]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::compute`]; blocks beside each other that are not as long as each other.
    #[track_caller]
    pub fn compute_chunk_sizes(&self) -> Result<DArray<T>, Failure> {
        if self.untyped().meta()?.sizes().is_ok() {
            return Ok(self.clone());
        }
        self.compute_chunk_sizes_on(&Client::current()?)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::compute`].
    #[track_caller]
    pub fn compute_chunk_sizes_on(&self, executor: &dyn Executor) -> Result<DArray<T>, Failure> {
        let grid = self.untyped().meta()?.grid();
        let shapes = DArray::<i64>::then(Shapes, vec![self.to_any()], ".compute_chunk_sizes()").compute_on(executor)?;
        let mut sizes = Vec::with_capacity(grid.len());
        for (axis, count) in grid.iter().enumerate() {
            let step: usize = grid[axis + 1..].iter().product();
            let along: Option<Vec<usize>> = (0..*count).map(|at| shapes.get([at * step, axis]).map(|len| *len as usize)).collect();
            sizes.push(along.ok_or_else(|| Failure::internal("blocks without shapes"))?);
        }
        if let Some(failure) = misfit(&shapes, &sizes, &grid) {
            return Err(failure.origin(Some(&Origin::here(".compute_chunk_sizes()"))));
        }
        let cuts = sizes.into_iter().map(|sizes| Cuts::Known(sizes.into())).collect();
        Ok(DArray::then(WithSizes { cuts }, vec![self.to_any()], ".compute_chunk_sizes()"))
    }
}

/// Why blocks of these shapes, one in each row, are no grid of chunks of these lengths.
fn misfit(shapes: &ArrayD<i64>, sizes: &[Vec<usize>], grid: &[usize]) -> Option<Failure> {
    let mut position = vec![0; grid.len()];
    for row in shapes.rows() {
        let other = (0..grid.len()).find(|axis| row[*axis] as usize != sizes[*axis][position[*axis]]);
        if let Some(axis) = other {
            let (one, other) = (sizes[axis][position[axis]], row[axis]);
            let what = format!("chunks beside each other have {one} and {other} elements along axis {axis}");
            let failure = Failure::new(Code::ShapeMismatch, what);
            return Some(failure.help("functions of blocks give the same lengths to all blocks beside each other"));
        }
        advance(&mut position, grid);
    }
    None
}

/// One row for each block: its shape.
struct Shapes;

impl Step for Shapes {
    fn line(&self) -> String {
        "shapes of blocks".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let blocks = inputs[0].blocks()? as usize;
        Ok(Meta { dtype: DType::I64, cuts: vec![Cuts::even(blocks, 1), Cuts::whole(inputs[0].ndim())] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let blocks = node.inputs[0].meta()?.blocks()?;
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("shapes", blocks, OpRef::new(ShapeOf, "shapes"), edges), node))
    }
}

/// The shape of a block.
#[derive(Serialize, Deserialize)]
pub(crate) struct ShapeOf;

impl Operator for ShapeOf {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("shape: no block"))??;
        let shape: Vec<i64> = block.shape().iter().map(|len| *len as i64).collect();
        Ok(Chunk::new(Block::from_vec(vec![1, shape.len()], shape)))
    }
}

impl NamedOperator for ShapeOf {
    const NAME: &'static str = "array_shape";
}

/// An array whose sizes were found.
struct WithSizes {
    cuts: Vec<Cuts>,
}

impl Step for WithSizes {
    fn line(&self) -> String {
        "with sizes".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: inputs[0].dtype, cuts: self.cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        Ok(lowering.of(&node.inputs[0]))
    }
}
