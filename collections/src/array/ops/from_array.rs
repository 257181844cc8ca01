//! `from_array`: an array that is in memory already.

use ndarray::{Array, Dimension};
use partita_graph::{Arg, Chunk, Failure, Layer, OpRef};

use crate::array::block::Block;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::{Chunks, DArray, Element, Node, Step};
use crate::frame::ops::from_polars::Given;
use crate::frame::ops::token;

impl<T: Element> DArray<T> {
    /// An array of ndarray's, cut into chunks; see [`Chunks`] for how to say them.
    ///
    /// Nothing is copied, whatever the layout. On a cluster the blocks travel to the workers once.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], [1, -1]);
    /// assert_eq!(x.chunks()?, [vec![1, 1], vec![3]]);
    /// assert_eq!(x.compute()?, array![[1, 2, 3], [4, 5, 6]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chunks that do not fit the shape.
    #[track_caller]
    pub fn from_array<D: Dimension>(array: Array<T, D>, chunks: impl Into<Chunks>) -> DArray<T> {
        let block = Block::from_array(array.into_dyn());
        let lens: Vec<Option<usize>> = block.shape().iter().copied().map(Some).collect();
        match chunks.into().cut(&lens, T::DTYPE, None) {
            Ok(cuts) => {
                let meta = Meta { dtype: T::DTYPE, cuts };
                let tokens = (0..meta.blocks().unwrap_or(0)).map(|_| token()).collect();
                DArray::then(FromArray { meta, block, tokens }, Vec::new(), "from_array(…)")
            }
            Err(failure) => DArray::failed(failure, "from_array(…)"),
        }
    }
}

/// An array that the user handed over; each of its blocks has a token that stands for its content.
struct FromArray {
    meta: Meta,
    block: Block,
    tokens: Vec<u64>,
}

impl Step for FromArray {
    fn line(&self) -> String {
        format!("from_array {}", self.meta.show_shape())
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let chunks = self.meta.places()?.into_iter().map(|place| Chunk::new(self.block.cut(&place.ranges())));
        let args = chunks.zip(&self.tokens).map(|(chunk, token)| Arg::Chunk { token: *token, chunk }).collect();
        Ok(lowering.add(Layer::with_args("from_array", OpRef::new(Given, "from_array"), args, Vec::new()), node))
    }
}
