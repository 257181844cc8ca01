//! `map_blocks`: functions of the user's own on whole blocks, as closures in process and as tasks anywhere.

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Arg, Chunk, Code, Failure, Layer, OpRef, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::announced::{Given, announced};
use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance, tuple};
use crate::array::{DArray, DType, Element, Node, Step};
use crate::delayed::BlockValue;
use crate::delayed::call::{Slot, given};
use crate::delayed::takes::MayTake;
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::ops::token;

/// What a function of blocks is told of the block at hand.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BlockInfo {
    /// Its position in the grid of blocks.
    pub position: Vec<usize>,
    /// Blocks along each axis.
    pub grid: Vec<usize>,
    /// The places of its first element in the whole array; `None` where the sizes of the blocks before it are not known.
    pub start: Option<Vec<usize>>,
}

impl<T: Element> DArray<T> {
    /// What a function makes of each block, of the same shape. It also gets the block's place; see [`BlockInfo`].
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix, [`DArray::map_blocks_task`].
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
        DArray::then(MapBlocks::here::<T, U, F>(function, None), vec![self.to_any()], ".map_blocks(…)")
    }

    /// The same with a `#[task]`, which runs anywhere. It takes a block, as an `ArrayBlock<T>` or an ndarray, and behind it a [`BlockInfo`] if it
    /// wants one; it gives a block, also of elements of another kind.
    ///
    /// A task captures nothing. What differs from call to call of this method it can be given as a block: see [`crate::blockwise_task`].
    ///
    /// ```
    /// use partita::ndarray::ArrayD;
    /// use partita::{ArrayBlock, BlockInfo, prelude::*, task};
    ///
    /// #[task]
    /// fn halved(block: &ArrayBlock<i64>) -> ArrayD<f64> {
    ///     block.view().mapv(|x| x as f64 / 2.0)
    /// }
    ///
    /// #[task]
    /// fn numbered(block: ArrayD<i64>, info: &BlockInfo) -> ArrayD<i64> {
    ///     block + info.position[0] as i64
    /// }
    ///
    /// let x = DArray::<i64>::ones([4], 3);
    /// assert_eq!(x.map_blocks_task(halved).compute()?.into_iter().collect::<Vec<_>>(), [0.5; 4]);
    /// assert_eq!(x.map_blocks_task(numbered).compute()?.into_iter().collect::<Vec<_>>(), [1, 1, 1, 2]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// A task for other elements is refused by the compiler:
    ///
    /// ```compile_fail,E0277
    /// use partita::{ArrayBlock, prelude::*, task};
    ///
    /// #[task]
    /// fn same(block: &ArrayBlock<f64>) -> ArrayBlock<f64> {
    ///     block.clone()
    /// }
    ///
    /// DArray::<i64>::ones([4], 3).map_blocks_task(same);
    /// ```
    ///
    /// # Errors
    /// While it runs: the task's own failure, or a block of another shape.
    #[track_caller]
    pub fn map_blocks_task<U, F, A>(&self, task: F) -> DArray<U>
    where
        U: Element,
        A: MayTake<DArray<T>, BlockInfo>,
        F: TaskOf<A> + Task<Output: BlockValue<U>>,
    {
        DArray::then(MapBlocks::anywhere::<T, U, F, A>(task, None), vec![self.to_any()], ".map_blocks_task(…)")
    }

    /// What a function makes of each block, in chunks of these lengths, axis by axis; there may be other axes than before, but there are as
    /// many blocks, in the same order.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix, [`DArray::map_blocks_to_task`].
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
        DArray::then(MapBlocks::here::<T, U, F>(function, Some(chunks)), vec![self.to_any()], ".map_blocks_to(…)")
    }

    /// The same with a `#[task]`, which runs anywhere; see [`DArray::map_blocks_task`].
    ///
    /// ```
    /// use partita::ndarray::{Array1, array};
    /// use partita::{ArrayBlock, prelude::*, task};
    ///
    /// #[task]
    /// fn sum_of_block(block: &ArrayBlock<f64>) -> Array1<f64> {
    ///     array![block.view().sum()]
    /// }
    ///
    /// let x = DArray::arange(0.0, 6.0, 1.0, 2);
    /// let sums = x.map_blocks_to_task(vec![vec![1, 1, 1]], sum_of_block);
    /// assert_eq!(sums.compute()?.into_iter().collect::<Vec<_>>(), [1.0, 5.0, 9.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of blocks. While it runs: the task's own failure, or a block of another shape.
    #[track_caller]
    pub fn map_blocks_to_task<U, F, A>(&self, chunks: Vec<Vec<usize>>, task: F) -> DArray<U>
    where
        U: Element,
        A: MayTake<DArray<T>, BlockInfo>,
        F: TaskOf<A> + Task<Output: BlockValue<U>>,
    {
        DArray::then(MapBlocks::anywhere::<T, U, F, A>(task, Some(chunks)), vec![self.to_any()], ".map_blocks_to_task(…)")
    }
}

struct MapBlocks {
    /// The kind of the result's elements.
    dtype: DType,
    chunks: Option<Vec<Vec<usize>>>,
    op: OpRef,
    /// Whether it is told of the block.
    informed: bool,
    /// What to write instead when a block is of another shape.
    instead: &'static str,
}

impl MapBlocks {
    fn here<T: Element, U: Element, F>(function: F, chunks: Option<Vec<Vec<usize>>>) -> Self
    where
        F: Fn(ArrayViewD<'_, T>, &BlockInfo) -> ArrayD<U> + Send + Sync + 'static,
    {
        let op = OpRef::closure("map_blocks", token(), move |ctx, inputs| {
            let info: BlockInfo = ctx.arg()?.decode()?;
            let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("map_blocks: no block"))??;
            Ok(Chunk::new(Block::from_array(function(block.view::<T>()?, &info))))
        });
        Self { dtype: U::DTYPE, chunks, op, informed: true, instead: "say what it gives: .map_blocks_to(chunks, function)" }
    }

    fn anywhere<T, U, F, A>(task: F, chunks: Option<Vec<Vec<usize>>>) -> Self
    where
        T: Element,
        U: Element,
        A: MayTake<DArray<T>, BlockInfo>,
        F: TaskOf<A> + Task<Output: BlockValue<U>>,
    {
        // It has no fields: its type says which function it is.
        let _ = task;
        let slots = if A::BOTH { vec![Slot::Input, Slot::Own] } else { vec![Slot::Input] };
        let instead = "say what it gives: .map_blocks_to_task(chunks, task)";
        Self { dtype: U::DTYPE, chunks, op: given::<F>(slots), informed: A::BOTH, instead }
    }

    /// What the function is told of each block, in order.
    fn infos(meta: &Meta) -> Result<Vec<Arg>, Failure> {
        let (grid, blocks) = (meta.grid(), meta.blocks()? as usize);
        let places = meta.places().ok();
        let mut info = BlockInfo { position: vec![0; grid.len()], grid: grid.clone(), start: None };
        let mut infos = Vec::with_capacity(blocks);
        for block in 0..blocks {
            info.start = places.as_ref().map(|places| places[block].start.clone());
            infos.push(Arg::encode(&info));
            advance(&mut info.position, &grid);
        }
        Ok(infos)
    }
}

impl Step for MapBlocks {
    fn line(&self) -> String {
        match self.op.portable {
            true => format!("map_blocks {}", self.op.label),
            false => "map_blocks".into(),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let Some(chunks) = &self.chunks else { return Ok(Meta { dtype: self.dtype, cuts: inputs[0].cuts.clone() }) };
        let meta = Meta { dtype: self.dtype, cuts: chunks.iter().map(|sizes| Cuts::Known(sizes.as_slice().into())).collect() };
        if meta.blocks()? != inputs[0].blocks()? {
            let what = format!("{} blocks were announced, and the array has {}", tuple(meta.grid()), tuple(inputs[0].grid()));
            return Err(Failure::new(Code::ShapeMismatch, what).help("as many chunks as there are, all in all"));
        }
        Ok(meta)
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let from = node.inputs[0].meta()?;
        let input = lowering.of(&node.inputs[0]);
        let edges = vec![input.edge(Wiring::Each)];
        let layer = match self.informed {
            true => Layer::with_args("map_blocks", self.op.clone(), Self::infos(from)?, edges),
            false => Layer::single("map_blocks", from.blocks()?, self.op.clone(), edges),
        };
        let called = lowering.add(layer, node);
        announced(called, &Given { method: "map_blocks", help: self.instead, like: Some(input) }, node, lowering)
    }
}
