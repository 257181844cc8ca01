//! `transpose`: axes in another order. Blocks are turned without a copy; whoever reads them next reads across memory.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::element::Scalar;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, axis_of, tuple};
use crate::array::wiring::follow;
use crate::array::{AnyArray, DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// All axes in reverse order.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2], [3, 4]], 1);
    /// assert_eq!(x.t().compute()?, array![[1, 3], [2, 4]].into_dyn());
    /// assert_eq!((&x + x.t()).compute()?, array![[2, 5], [5, 8]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "T")]
    #[track_caller]
    pub fn t(&self) -> DArray<T> {
        DArray::then(Transpose { order: None }, vec![self.to_any()], ".t()")
    }

    /// Axes in this order: axis `i` of the result is axis `order[i]`. Negative ones count from the back.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::zeros([2, 3, 4], 2);
    /// assert_eq!(x.transpose([1, -1, 0]).shape()?, [3, 4, 2]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, is missing or is there twice.
    #[doc(alias = "permute_axes")]
    #[track_caller]
    pub fn transpose(&self, order: impl IntoIterator<Item = isize>) -> DArray<T> {
        DArray::then(Transpose { order: Some(order.into_iter().collect()) }, vec![self.to_any()], ".transpose(…)")
    }
}

struct Transpose {
    /// `None` for the reverse.
    order: Option<Vec<isize>>,
}

impl Transpose {
    fn order(&self, ndim: usize) -> Result<Vec<usize>, Failure> {
        let Some(order) = &self.order else { return Ok((0..ndim).rev().collect()) };
        let found = order.iter().map(|axis| axis_of(*axis, ndim)).collect::<Result<Vec<_>, _>>()?;
        let mut sorted = found.clone();
        sorted.sort_unstable();
        if sorted.into_iter().ne(0..ndim) {
            let what = format!("{} is no order of the {ndim} axes of the array", tuple(order));
            return Err(Failure::new(Code::ShapeMismatch, what).help("each axis once: .transpose([1, 0, 2])"));
        }
        Ok(found)
    }
}

impl Step for Transpose {
    fn line(&self) -> String {
        self.order.as_ref().map_or_else(|| "transpose".into(), |order| format!("transpose to {}", tuple(order)))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let order = self.order(inputs[0].ndim())?;
        Ok(Meta { dtype: inputs[0].dtype, cuts: order.into_iter().map(|axis| inputs[0].cuts[axis].clone()).collect() })
    }

    fn everywhere(&self, inputs: &[AnyArray]) -> Option<Scalar> {
        inputs.first()?.everywhere()
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let order = self.order(from.ndim())?;
        // Where each axis of the input has gone.
        let mut axes = vec![None; order.len()];
        order.iter().enumerate().for_each(|(at, axis)| axes[*axis] = Some(at));
        let edges = vec![lowering.of(&node.inputs[0]).edge(follow(&from.grid(), &to.grid(), &axes))];
        let op = OpRef::new(Turn { order }, self.line());
        Ok(lowering.add(Layer::single("transpose", to.blocks()?, op, edges), node))
    }
}

/// Turns a block.
#[derive(Serialize, Deserialize)]
pub(crate) struct Turn {
    order: Vec<usize>,
}

impl Operator for Turn {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("transpose: no block"))??;
        if block.shape().len() != self.order.len() {
            return Err(Failure::internal("transpose: a block of another number of axes"));
        }
        Ok(Chunk::new(block.permuted(&self.order)))
    }
}

impl NamedOperator for Turn {
    const NAME: &'static str = "array_transpose";
}
