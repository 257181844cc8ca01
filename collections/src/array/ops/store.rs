//! `store`: hands the blocks of an array, one after the other, to whatever keeps them.

use ndarray::ArrayViewD;
use partita_graph::{Executor, Failure};

use crate::array::block::block_of;
use crate::array::lower::plan;
use crate::array::meta::advance;
use crate::array::ops::map_blocks::BlockInfo;
use crate::array::{DArray, Element};
use crate::client::{Client, run};

impl<T: Element> DArray<T> {
    /// Runs the array and hands each block to a function with its place, in row-major order of the grid. Blocks come to this process one at a
    /// time, so that an array may be larger than memory: a memory map, a file of one's own, a device.
    ///
    /// A function that fails ends it; what it was handed before stays as it left it.
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
        let run = run::stored(executor, plan(self.untyped())?)?;
        let mut position = vec![0; grid.len()];
        for index in 0..meta.blocks()? {
            let start = places.as_ref().map(|places| places[index as usize].start.clone());
            let info = BlockInfo { position: position.clone(), grid: grid.clone(), start };
            // In row-major order, as a target of bytes wants them.
            let chunk = run.result(index as usize)?;
            target(&info, block_of(&chunk)?.in_order()?.view()?)?;
            advance(&mut position, &grid);
        }
        Ok(())
    }
}
