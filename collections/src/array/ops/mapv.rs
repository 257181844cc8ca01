//! `mapv`: any function on each element, in process.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, OpRef, Wiring};

use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::{DArray, Element, Node, Step};
use crate::frame::ops::token;

impl<T: Element> DArray<T> {
    /// What a function gives for each element. The functions of this library run faster: they become one program with what
    /// stands around them.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0u8, 4, 1, 2).mapv(|n| f64::from(n) / 2.0);
    /// assert_eq!(x.compute()?.into_iter().collect::<Vec<_>>(), [0.0, 0.5, 1.0, 1.5]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: a function that panics.
    #[doc(alias = "frompyfunc")]
    #[doc(alias = "vectorize")]
    #[track_caller]
    pub fn mapv<U: Element, F>(&self, function: F) -> DArray<U>
    where
        F: Fn(T) -> U + Send + Sync + 'static,
    {
        DArray::then(Mapv { function: Arc::new(function), token: token() }, vec![self.to_any()], ".mapv(…)")
    }
}

struct Mapv<T, U> {
    function: Arc<dyn Fn(T) -> U + Send + Sync>,
    token: u64,
}

impl<T: Element, U: Element> Step for Mapv<T, U> {
    fn line(&self) -> String {
        "mapv".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: U::DTYPE, cuts: inputs[0].cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let function = self.function.clone();
        let op = OpRef::closure("mapv", self.token, move |_, inputs| {
            let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("mapv: no block"))??;
            Ok(Chunk::new(Block::from_array(block.view::<T>()?.mapv(&*function))))
        });
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("mapv", node.known()?.blocks()?, op, edges), node))
    }
}
