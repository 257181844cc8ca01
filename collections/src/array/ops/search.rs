//! `searchsorted`, `digitize` and `is_in`: where elements belong among others, and whether they are among them.

use ndarray::Array;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::{DType, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::sort::{ascending, lexical};
use crate::array::tile::Arith;
use crate::array::{DArray, Element, Node, Ordered, Step};

/// Of places that an element may be put at without disturbing the order, which one is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Side {
    /// Before all that are equal to it.
    Left,
    /// Behind them.
    Right,
}

impl<T: Element> DArray<T> {
    /// For each of `values` the place at which it belongs in this array of one axis, whose elements go up. NaN belongs behind all numbers. Complex
    /// numbers go up by their real parts, and where these are equal by the imaginary ones.
    ///
    /// ```
    /// use partita::{Side, prelude::*};
    /// use partita::ndarray::array;
    /// let sorted = DArray::from_array(array![1.0, 2.0, 2.0, 5.0], 3);
    /// let values = DArray::from_array(array![[2.0, 0.0], [9.0, 5.0]], 1);
    /// assert_eq!(sorted.searchsorted(&values, Side::Left).compute()?, array![[1, 0], [4, 3]].into_dyn());
    /// assert_eq!(sorted.searchsorted(&values, Side::Right).compute()?, array![[3, 0], [4, 4]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: this array does not have one axis.
    #[track_caller]
    pub fn searchsorted(&self, values: &DArray<T>, side: Side) -> DArray<i64> {
        DArray::then(Search { side }, vec![values.to_any(), self.to_any()], ".searchsorted(…)")
    }

    /// Whether each element is one of others. NaN is not.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 5, 1, 2);
    /// assert_eq!(x.is_in(&[3, 1]).compute()?.into_iter().collect::<Vec<_>>(), [false, true, false, true, false]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "isin")]
    #[track_caller]
    pub fn is_in(&self, others: &[T]) -> DArray<bool> {
        self.is_in_array(&DArray::from_array(Array::from_vec(others.to_vec()), -1))
    }

    /// Whether each element is one of those of another array, of any shape.
    #[track_caller]
    pub fn is_in_array(&self, others: &DArray<T>) -> DArray<bool> {
        DArray::then(IsIn, vec![self.to_any(), others.unique().to_any()], ".is_in(…)")
    }
}

impl<T: Ordered> DArray<T> {
    /// For each element the number of the bin that it falls into, given edges that go up: bin `i` goes from edge `i - 1` to edge `i`, bin 0
    /// lies before all edges. `Side::Right` counts an element on an edge to the bin above it, as is usual, `Side::Left` to the one below. Edges may
    /// also go down; then bin 0 lies above all of them.
    ///
    /// ```
    /// use partita::{Side, prelude::*};
    /// let x = DArray::from_array(partita::ndarray::array![0.2, 6.4, 3.0, 1.0], 2);
    /// let bins = x.digitize(&[0.0, 1.0, 2.5, 4.0, 10.0], Side::Right);
    /// assert_eq!(bins.compute()?.into_iter().collect::<Vec<_>>(), [1, 4, 3, 2]);
    /// assert_eq!(x.digitize(&[3.0, 1.0, 0.0], Side::Right).compute()?.into_iter().collect::<Vec<_>>(), [2, 0, 0, 1]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: edges that neither go up nor down.
    #[track_caller]
    pub fn digitize(&self, edges: &[T], side: Side) -> DArray<i64> {
        if edges.windows(2).all(|pair| ascending(&pair[0], &pair[1]).is_le()) {
            return DArray::from_array(Array::from_vec(edges.to_vec()), -1).searchsorted(self, side);
        }
        if edges.windows(2).any(|pair| ascending(&pair[0], &pair[1]).is_lt()) {
            let failure = Failure::new(Code::InvalidOption, "the edges of bins go up, or down").detail("edges", format!("{edges:?}"));
            return DArray::failed(failure, ".digitize(…)");
        }
        let rising: Vec<T> = edges.iter().rev().copied().collect();
        edges.len() as i64 - DArray::from_array(Array::from_vec(rising), -1).searchsorted(self, side)
    }
}

struct Search {
    side: Side,
}

impl Step for Search {
    fn line(&self) -> String {
        format!("searchsorted, {:?}", self.side)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        if inputs[1].ndim() != 1 {
            let what = format!("elements that go up stand along one axis, and this array has shape {}", inputs[1].show_shape());
            return Err(Failure::new(Code::ShapeMismatch, what));
        }
        Ok(Meta { dtype: DType::I64, cuts: inputs[0].cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        among(OpRef::new(SearchBlock { side: self.side }, self.line()), node, lowering)
    }
}

struct IsIn;

impl Step for IsIn {
    fn line(&self) -> String {
        "is in".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: DType::Bool, cuts: inputs[0].cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        among(OpRef::new(IsInBlock, self.line()), node, lowering)
    }
}

/// A layer whose tasks read a block of the first input and all of the second.
fn among(op: OpRef, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
    let (values, others) = (lowering.of(&node.inputs[0]), lowering.of(&node.inputs[1]));
    let edges = vec![values.edge(Wiring::Each), others.edge(Wiring::Every)];
    Ok(lowering.add(Layer::single("search", node.known()?.blocks()?, op, edges), node))
}

/// Places of the elements of a block among those of others, which go up from block to block.
#[derive(Serialize, Deserialize)]
pub(crate) struct SearchBlock {
    side: Side,
}

impl Operator for SearchBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (values, sorted) = inputs.split_first().ok_or_else(|| Failure::internal("search: no block"))?;
        let values = block_of(values)?;
        with_dtype!(values.dtype(), T => {
            let elements = values.to_vec::<T>()?;
            let mut places = vec![0i64; elements.len()];
            for block in sorted {
                ctx.check_cancelled()?;
                let block = block_of(block)?.to_vec::<T>()?;
                // What stands before an element in all blocks together is its place.
                for (place, element) in places.iter_mut().zip(&elements) {
                    *place += before(&block, element, self.side) as i64;
                }
            }
            Ok(Chunk::new(Block::from_vec(values.shape().to_vec(), places)))
        })
    }
}

impl NamedOperator for SearchBlock {
    const NAME: &'static str = "array_search";
}

fn before<T: Arith>(sorted: &[T], element: &T, side: Side) -> usize {
    match side {
        Side::Left => sorted.partition_point(|other| lexical(other, element).is_lt()),
        Side::Right => sorted.partition_point(|other| lexical(other, element).is_le()),
    }
}

/// Whether the elements of a block are among others, each of which is there once and which go up.
#[derive(Serialize, Deserialize)]
pub(crate) struct IsInBlock;

impl Operator for IsInBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [values, others] = inputs else { return Err(Failure::internal("is_in: a block, and all others in one")) };
        let (values, others) = (block_of(values)?, block_of(others)?);
        with_dtype!(values.dtype(), T => {
            let others = others.to_vec::<T>()?;
            let is_in = |element: &T| !element.is_missing() && others.binary_search_by(|other| lexical(other, element)).is_ok();
            let truths: Vec<bool> = values.to_vec::<T>()?.iter().map(is_in).collect();
            Ok(Chunk::new(Block::from_vec(values.shape().to_vec(), truths)))
        })
    }
}

impl NamedOperator for IsInBlock {
    const NAME: &'static str = "array_is_in";
}
