//! `store`: hands the blocks of an array, one after the other, to whatever keeps them.

use ndarray::ArrayViewD;
use partita_graph::{Executor, Failure};

use crate::array::block::block_of;
use crate::array::lower::plan_for;
use crate::array::ops::map_blocks::BlockInfo;
use crate::array::{DArray, Element};
use crate::client::{Client, run};

impl<T: Element> DArray<T> {
    /// Runs the array and hands each block to a function with its place, as blocks end and so in any order, one at a time. A block that was
    /// handed over is not kept, so that an array may be larger than memory: a memory map, a file of one's own, a device.
    ///
    /// Each block is handed over once. A block or a function that fails ends it, and what was handed over before stays as the function left it:
    /// whether a target is seen before it is complete is up to the function. [`DArray::to_zarr`] and [`DArray::to_npy`] write what appears at
    /// once or not at all.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let mut target = vec![0.0; 6];
    /// DArray::arange(0.0, 6.0, 1.0, 4).store(|info, block| {
    ///     let start = info.start.as_ref().map_or(0, |start| start[0]);
    ///     target[start..start + block.len()].copy_from_slice(block.as_slice().unwrap_or(&[]));
    ///     Ok(())
    /// })?;
    /// assert_eq!(target, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::compute`]; the failure of the function.
    pub fn store(&self, target: impl FnMut(&BlockInfo, ArrayViewD<'_, T>) -> Result<(), Failure>) -> Result<(), Failure> {
        self.store_on(&Client::current()?, target)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::store`].
    pub fn store_on(
        &self,
        executor: &dyn Executor,
        mut target: impl FnMut(&BlockInfo, ArrayViewD<'_, T>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let meta = self.untyped().meta()?;
        let (grid, places) = (meta.grid(), meta.places().ok());
        run::as_they_end(executor, plan_for(executor, self.untyped())?, |index, chunk| {
            let start = places.as_ref().map(|places| places[index].start.clone());
            let info = BlockInfo { position: position(index, &grid), grid: grid.clone(), start };
            // In row-major order, as a target of bytes wants them.
            target(&info, block_of(&chunk)?.in_order()?.view()?)
        })
    }
}

/// The position of a block in the grid, which is numbered in row-major order.
fn position(index: usize, grid: &[usize]) -> Vec<usize> {
    let mut left = index;
    let mut position = vec![0; grid.len()];
    for (at, blocks) in position.iter_mut().zip(grid).rev() {
        (*at, left) = (left % blocks, left / blocks);
    }
    position
}
