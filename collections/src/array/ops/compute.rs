//! `compute`: runs an array and brings its elements here.

use std::sync::Arc;

use ndarray::{Array, ArrayD, Dimension};
use partita_graph::{Code, Executor, Failure, Run};

use crate::array::assemble::{Assembly, joined};
use crate::array::block::{Block, block_of};
use crate::array::lower::plan_for;
use crate::array::meta::{Meta, advance, tuple};
use crate::array::{DArray, Element};
use crate::client::aside::aside;
use crate::client::ready::ready;
use crate::client::{Client, run};

impl<T: Element> DArray<T> {
    /// Runs the array and returns its elements, in row-major order.
    ///
    /// Runs on the current [`Client`]; without one, the local engine starts on all cores. Blocks; inside an asynchronous runtime
    /// use [`DArray::compute_async`], so that the thread is free for others.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// assert_eq!(DArray::arange(0.0, 4.0, 1.0, 3).compute()?, array![0.0, 1.0, 2.0, 3.0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// Before any task is sent: what [`DArray::check`] finds. While it runs: what the data or a user's function gives.
    #[doc(alias = "collect")]
    pub fn compute(&self) -> Result<ArrayD<T>, Failure> {
        self.compute_on(&Client::current()?)
    }

    /// The same with the number of axes in the type.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::{Ix2, arr2};
    /// let x = DArray::<u8>::eye(2, 1).compute_as::<Ix2>()?;
    /// assert_eq!(x, arr2(&[[1, 0], [0, 1]]));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::compute`]; another number of axes.
    pub fn compute_as<D: Dimension>(&self) -> Result<Array<T, D>, Failure> {
        let ndim = self.ndim()?;
        let wrong = || Failure::new(Code::ShapeMismatch, format!("the array has {ndim} axes, and {} were asked for", D::NDIM.unwrap_or(0)));
        if D::NDIM.is_some_and(|asked| asked != ndim) {
            return Err(wrong());
        }
        self.compute()?.into_dimensionality().map_err(|_| wrong())
    }

    /// The only element of an array that has one, for example of a sum over everything.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::full((), 7, -1).compute_scalar()?, 7);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::compute`]; more elements than one, or none.
    #[doc(alias = "item")]
    pub fn compute_scalar(&self) -> Result<T, Failure> {
        let meta = self.untyped().meta()?;
        let several = |shape: String| Failure::new(Code::ShapeMismatch, format!("an array of shape {shape} is not one number"));
        if meta.shape().is_ok_and(|shape| shape.iter().product::<usize>() != 1) {
            return Err(several(meta.show_shape()));
        }
        let array = self.compute()?;
        match array.len() {
            1 => array.first().copied().ok_or_else(|| several(tuple(array.shape()))),
            _ => Err(several(tuple(array.shape()))),
        }
    }

    /// [`DArray::compute`] without blocking the calling thread. Dropping the future gives the work up.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let x = DArray::<i64>::ones([3], 2);
    /// assert_eq!(x.compute_async().await?.sum(), 3);
    /// # Ok::<(), partita::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::compute`].
    pub async fn compute_async(&self) -> Result<ArrayD<T>, Failure> {
        self.awaited(&ready().await?).await
    }

    /// The same on any executor, neither planned nor brought in the thread that awaits it.
    pub(crate) async fn awaited(&self, executor: &Arc<dyn Executor>) -> Result<ArrayD<T>, Failure> {
        let meta = self.untyped().meta()?.clone();
        let (planner, array) = (executor.clone(), self.to_any());
        let graph = aside(move || plan_for(&*planner, &array)).await?;
        let run = run::stored_async(&**executor, graph).await?;
        aside(move || gathered(&run, &meta)).await
    }

    /// [`DArray::compute`] on any executor, for example [`partita_graph::Serial`] in a test.
    ///
    /// # Errors
    /// As [`DArray::compute`].
    pub fn compute_on(&self, executor: &dyn Executor) -> Result<ArrayD<T>, Failure> {
        let run = run::stored(executor, plan_for(executor, self.untyped())?)?;
        gathered(&run, self.untyped().meta()?)
    }
}

/// The blocks of a run that ended, as one array. One at a time, so that blocks on disk come back one by one.
fn gathered<T: Element>(run: &Run, meta: &Meta) -> Result<ArrayD<T>, Failure> {
    let grid = meta.grid();
    let count = meta.blocks()? as usize;
    let Ok(sizes) = meta.sizes() else {
        let blocks: Result<Vec<Block>, Failure> = (0..count).map(|index| Ok(block_of(&run.result(index)?)?.clone())).collect();
        return joined(&grid, &blocks?);
    };
    if count == 1 {
        return block_of(&run.result(0)?)?.to_array();
    }
    let mut assembly = Assembly::new(&sizes);
    let mut position = vec![0; grid.len()];
    for index in 0..count {
        assembly.put(&position, block_of(&run.result(index)?)?)?;
        advance(&mut position, &grid);
    }
    Ok(assembly.finish())
}
