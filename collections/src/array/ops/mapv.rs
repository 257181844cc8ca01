//! `mapv`: any function on each element, as a closure in process and as a task anywhere.

use partita_graph::{Chunk, Failure, Layer, OpRef, Wiring};

use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::{DArray, DType, Element, Node, Step};
use crate::delayed::call::on_elements;
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::ops::token;

impl<T: Element> DArray<T> {
    /// What a function gives for each element. The functions of this library run faster: they become one program with what
    /// stands around them.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix, [`DArray::mapv_task`].
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
        let op = OpRef::closure("mapv", token(), move |_, inputs| {
            let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("mapv: no block"))??;
            Ok(Chunk::new(Block::from_array(block.view::<T>()?.mapv(&function))))
        });
        DArray::then(Mapv { dtype: U::DTYPE, op }, vec![self.to_any()], ".mapv(…)")
    }

    /// The same with a `#[task]`, which runs anywhere. The task is called by way of its arguments, which for something as short as an addition
    /// costs more than the work; [`DArray::map_blocks_task`] is called once for each block.
    ///
    /// ```
    /// use partita::{prelude::*, task};
    ///
    /// #[task]
    /// fn halved(n: u8) -> f64 {
    ///     f64::from(n) / 2.0
    /// }
    ///
    /// let x = DArray::arange(0u8, 4, 1, 2).mapv_task(halved);
    /// assert_eq!(x.compute()?.into_iter().collect::<Vec<_>>(), [0.0, 0.5, 1.0, 1.5]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: the task's own failure.
    #[track_caller]
    pub fn mapv_task<U, F>(&self, task: F) -> DArray<U>
    where
        U: Element,
        F: TaskOf<(T,)> + Task<Output = U>,
    {
        // It has no fields: its type says which function it is.
        let _ = task;
        DArray::then(Mapv { dtype: U::DTYPE, op: on_elements::<F>() }, vec![self.to_any()], ".mapv_task(…)")
    }
}

struct Mapv {
    /// The kind of the result's elements.
    dtype: DType,
    op: OpRef,
}

impl Step for Mapv {
    fn line(&self) -> String {
        match self.op.portable {
            true => format!("mapv {}", self.op.label),
            false => "mapv".into(),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: self.dtype, cuts: inputs[0].cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("mapv", node.known()?.blocks()?, self.op.clone(), edges), node))
    }
}
