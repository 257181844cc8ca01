//! `from_fn`: an array whose elements a function makes, in process.

use std::sync::Arc;

use partita_graph::{Arg, Chunk, Failure, Layer, OpRef};

use crate::array::block::Block;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, Place, advance};
use crate::array::{Chunks, DArray, Element, Node, Shape, Step};
use crate::frame::ops::token;

type Function<T> = Arc<dyn Fn(&[usize]) -> T + Send + Sync>;

impl<T: Element> DArray<T> {
    /// An array of which each element is what a function gives for its index.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix.
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
        match chunks.into().of_new(&shape.into(), T::DTYPE) {
            Ok(meta) => DArray::then(FromFn { meta, function: Arc::new(function), token: token() }, Vec::new(), "from_fn(…)"),
            Err(failure) => DArray::failed(failure, "from_fn(…)"),
        }
    }
}

struct FromFn<T> {
    meta: Meta,
    function: Function<T>,
    token: u64,
}

impl<T: Element> Step for FromFn<T> {
    fn line(&self) -> String {
        format!("from_fn {}", self.meta.show_shape())
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let function = self.function.clone();
        let op = OpRef::closure("from_fn", self.token, move |ctx, _| {
            let place: Place = ctx.arg()?.decode()?;
            let count = place.shape.iter().product();
            let mut values = Vec::with_capacity(count);
            let mut position = vec![0; place.shape.len()];
            let mut index = place.start.clone();
            for _ in 0..count {
                index.iter_mut().zip(&place.start).zip(&position).for_each(|((index, start), at)| *index = start + at);
                values.push(function(&index));
                advance(&mut position, &place.shape);
            }
            Ok(Chunk::new(Block::from_vec(place.shape, values)))
        });
        let args = self.meta.places()?.iter().map(Arg::encode).collect();
        Ok(lowering.add(Layer::with_args("from_fn", op, args, Vec::new()), node))
    }
}
