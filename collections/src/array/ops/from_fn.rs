//! `from_fn`: an array whose elements a function makes, as a closure in process and as a task anywhere.

use partita_graph::{Arg, Chunk, Failure, Layer, OpRef};

use crate::array::block::Block;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, Place, advance};
use crate::array::{Chunks, DArray, Element, Node, Shape, Step};
use crate::delayed::call::on_indices;
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::ops::token;

impl<T: Element> DArray<T> {
    /// An array of which each element is what a function gives for its index.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix, [`DArray::from_fn_task`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let table = DArray::from_fn([2, 3], 2, |index| (index[0] * 10 + index[1]) as i64);
    /// assert_eq!(table.compute()?, array![[0, 1, 2], [10, 11, 12]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit the shape; while it runs: a function that panics.
    #[doc(alias = "fromfunction")]
    #[track_caller]
    pub fn from_fn<F>(shape: impl Into<Shape>, chunks: impl Into<Chunks>, function: F) -> DArray<T>
    where
        F: Fn(&[usize]) -> T + Send + Sync + 'static,
    {
        let op = OpRef::closure("from_fn", token(), move |ctx, _| {
            let place: Place = ctx.arg()?.decode()?;
            let mut values = Vec::with_capacity(place.shape.iter().product());
            each_index(&place, |index| {
                values.push(function(index));
                Ok(())
            })?;
            Ok(Chunk::new(Block::from_vec(place.shape, values)))
        });
        Self::from_indices(shape.into(), chunks.into(), op, "from_fn(…)")
    }

    /// The same with a `#[task]`, which runs anywhere: it takes the index of an element and gives the element.
    ///
    /// ```
    /// use partita::ndarray::array;
    /// use partita::{prelude::*, task};
    ///
    /// #[task]
    /// fn place(index: &[usize]) -> i64 {
    ///     (index[0] * 10 + index[1]) as i64
    /// }
    ///
    /// let table = DArray::from_fn_task([2, 3], 2, place);
    /// assert_eq!(table.compute()?, array![[0, 1, 2], [10, 11, 12]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// A task that makes whole blocks is called with delayed values: [`crate::delayed()`], [`DArray::from_delayed`].
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit the shape; while it runs: the task's own failure.
    #[track_caller]
    pub fn from_fn_task<F>(shape: impl Into<Shape>, chunks: impl Into<Chunks>, task: F) -> DArray<T>
    where
        F: TaskOf<(Vec<usize>,)> + Task<Output = T>,
    {
        // It has no fields: its type says which function it is.
        let _ = task;
        Self::from_indices(shape.into(), chunks.into(), on_indices::<F>(), "from_fn_task(…)")
    }

    #[track_caller]
    fn from_indices(shape: Shape, chunks: Chunks, op: OpRef, method: &str) -> DArray<T> {
        match chunks.of_new(&shape, T::DTYPE) {
            Ok(meta) => DArray::then(FromFn { meta, op }, Vec::new(), method),
            Err(failure) => DArray::failed(failure, method),
        }
    }
}

/// The index of each element of a block, in row-major order.
pub(crate) fn each_index(place: &Place, mut visit: impl FnMut(&Vec<usize>) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut position = vec![0; place.shape.len()];
    let mut index = place.start.clone();
    let count: usize = place.shape.iter().product();
    for _ in 0..count {
        index.iter_mut().zip(&place.start).zip(&position).for_each(|((index, start), at)| *index = start + at);
        visit(&index)?;
        advance(&mut position, &place.shape);
    }
    Ok(())
}

struct FromFn {
    meta: Meta,
    /// Takes the place of a block.
    op: OpRef,
}

impl Step for FromFn {
    fn line(&self) -> String {
        format!("from_fn {}", self.meta.show_shape())
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let args = self.meta.places()?.iter().map(Arg::encode).collect();
        Ok(lowering.add(Layer::with_args("from_fn", self.op.clone(), args, Vec::new()), node))
    }
}
