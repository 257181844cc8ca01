//! `map_blocks` and `apply_along_axis`: functions of the user's own on whole blocks and on lanes, in process.

use std::sync::Arc;

use ndarray::{Array1, ArrayD, ArrayView1, ArrayViewD, Axis, IxDyn};
use partita_graph::{Arg, Chunk, Code, Failure, Layer, OpRef, Wiring};

use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance, axis_of, tuple};
use crate::array::{DArray, Element, Node, Step};
use crate::frame::ops::token;

/// What a function of blocks is told of the block at hand.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct BlockInfo {
    /// Its position in the grid of blocks.
    pub position: Vec<usize>,
    /// Blocks along each axis.
    pub grid: Vec<usize>,
    /// The places of its first element in the whole array; `None` where the sizes of the blocks before it are not known.
    pub start: Option<Vec<usize>>,
}

type Function<T, U> = Arc<dyn Fn(ArrayViewD<'_, T>, &BlockInfo) -> ArrayD<U> + Send + Sync>;

impl<T: Element> DArray<T> {
    /// What a function makes of each block, of the same shape. It also gets the block's place; see [`BlockInfo`].
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<i64>::zeros([4], 3);
    /// let numbered = x.map_blocks(|block, info| block.mapv(|x| x + info.position[0] as i64));
    /// assert_eq!(numbered.compute()?.into_iter().collect::<Vec<_>>(), [0, 0, 0, 1]);
    /// // Each element with its place in the whole array added, which the block's start tells.
    /// let places = x.map_blocks(|block, info| {
    ///     let start = info.start.as_ref().map_or(0, |start| start[0]);
    ///     partita::ndarray::Array::from_iter((start..start + block.len()).map(|place| place as i64)).into_dyn()
    /// });
    /// assert_eq!(places.compute()?.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: a function that panics or gives another shape.
    #[track_caller]
    pub fn map_blocks<U: Element, F>(&self, function: F) -> DArray<U>
    where
        F: Fn(ArrayViewD<'_, T>, &BlockInfo) -> ArrayD<U> + Send + Sync + 'static,
    {
        let step = MapBlocks { function: Arc::new(function), token: token(), chunks: None };
        DArray::then(step, vec![self.to_any()], ".map_blocks(…)")
    }

    /// What a function makes of each block, in chunks of these lengths, axis by axis; there may be other axes than before, but there are as
    /// many blocks, in the same order.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::{ArrayD, IxDyn};
    /// let x = DArray::arange(0.0, 6.0, 1.0, 2);
    /// let sums = x.map_blocks_to(vec![vec![1, 1, 1]], |block, _| ArrayD::from_elem(IxDyn(&[1]), block.sum()));
    /// assert_eq!(sums.compute()?.into_iter().collect::<Vec<_>>(), [1.0, 5.0, 9.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of blocks. While it runs: a function that panics or gives another shape.
    #[track_caller]
    pub fn map_blocks_to<U: Element, F>(&self, chunks: Vec<Vec<usize>>, function: F) -> DArray<U>
    where
        F: Fn(ArrayViewD<'_, T>, &BlockInfo) -> ArrayD<U> + Send + Sync + 'static,
    {
        let step = MapBlocks { function: Arc::new(function), token: token(), chunks: Some(chunks) };
        DArray::then(step, vec![self.to_any()], ".map_blocks_to(…)")
    }

    /// What a function makes of each lane along an axis: `length` elements. The axis is brought into one chunk first.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 5.0, 2.0], [7.0, 3.0, 4.0]], 1);
    /// let ends = x.apply_along_axis(1, 2, |lane| array![lane[0], lane[lane.len() - 1]]);
    /// assert_eq!(ends.compute()?, array![[1.0, 2.0], [7.0, 4.0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known. While it runs: a function that panics or gives another
    /// number of elements.
    #[track_caller]
    pub fn apply_along_axis<U: Element, F>(&self, axis: isize, length: usize, function: F) -> DArray<U>
    where
        F: Fn(ArrayView1<'_, T>) -> Array1<U> + Send + Sync + 'static,
    {
        let axis = match self.ndim().and_then(|ndim| axis_of(axis, ndim)) {
            Ok(axis) => axis,
            Err(failure) => return DArray::failed(failure, ".apply_along_axis(…)"),
        };
        let whole = self.whole_along(axis);
        let mut chunks = match whole.chunks() {
            Ok(chunks) => chunks,
            Err(failure) => return DArray::failed(failure, ".apply_along_axis(…)"),
        };
        chunks[axis] = vec![length];
        whole.map_blocks_to(chunks, move |block, _| {
            let mut shape = block.shape().to_vec();
            shape[axis] = length;
            let mut result = ArrayD::from_elem(IxDyn(&shape), U::default());
            for (lane, mut target) in block.lanes(Axis(axis)).into_iter().zip(result.lanes_mut(Axis(axis))) {
                let made = function(lane);
                if made.len() != length {
                    let what = format!("the function gave {} elements for a lane, and {length} were announced", made.len());
                    // Where a function has nothing to return, its failure is thrown; tasks catch it.
                    std::panic::panic_any(Failure::new(Code::UserFunction, what));
                }
                target.assign(&made);
            }
            result
        })
    }

    /// The array with one axis in one chunk.
    #[track_caller]
    pub(in crate::array) fn whole_along(&self, axis: usize) -> DArray<T> {
        self.rechunk([(axis as isize, -1)])
    }
}

struct MapBlocks<T, U> {
    function: Function<T, U>,
    token: u64,
    chunks: Option<Vec<Vec<usize>>>,
}

impl<T: Element, U: Element> Step for MapBlocks<T, U> {
    fn line(&self) -> String {
        "map_blocks".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let Some(chunks) = &self.chunks else { return Ok(Meta { dtype: U::DTYPE, cuts: inputs[0].cuts.clone() }) };
        let meta = Meta { dtype: U::DTYPE, cuts: chunks.iter().map(|sizes| Cuts::Known(sizes.as_slice().into())).collect() };
        if meta.blocks()? != inputs[0].blocks()? {
            let what = format!("{} blocks were announced, and the array has {}", tuple(meta.grid()), tuple(inputs[0].grid()));
            return Err(Failure::new(Code::ShapeMismatch, what).help("as many chunks as there are, all in all"));
        }
        Ok(meta)
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let grid = from.grid();
        let starts = from.places().ok().map(|places| places.into_iter().map(|place| place.start).collect::<Vec<_>>());
        let shapes = to.places().ok().map(|places| places.into_iter().map(|place| place.shape).collect::<Vec<_>>());
        let mut args = Vec::new();
        let mut position = vec![0; grid.len()];
        for block in 0..from.blocks()? as usize {
            let start = starts.as_ref().and_then(|starts| starts.get(block));
            let shape = shapes.as_ref().and_then(|shapes| shapes.get(block));
            args.push(Arg::encode(&(&position, start, shape)));
            advance(&mut position, &grid);
        }
        let function = self.function.clone();
        let op = OpRef::closure("map_blocks", self.token, move |ctx, inputs| {
            let (position, start, shape): (Vec<usize>, Option<Vec<usize>>, Option<Vec<usize>>) = ctx.arg()?.decode()?;
            let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("map_blocks: no block"))??;
            let info = BlockInfo { position, grid: grid.clone(), start };
            let result = function(block.view::<T>()?, &info);
            let expected = shape.as_deref().unwrap_or(block.shape());
            if result.shape() != expected {
                let what = format!(
                    "the function of map_blocks gave shape {} for block {}, where {} was announced",
                    tuple(result.shape()),
                    tuple(&info.position),
                    tuple(expected)
                );
                return Err(Failure::new(Code::UserFunction, what).help("say what it gives: .map_blocks_to(chunks, function)"));
            }
            Ok(Chunk::new(Block::from_array(result)))
        });
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::with_args("map_blocks", op, args, edges), node))
    }
}
