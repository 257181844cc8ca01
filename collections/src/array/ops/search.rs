//! `searchsorted`, `digitize` and `is_in`: where elements belong among others, and whether they are among them.
//!
//! Others that are short are read whole by each task. Of long ones a task reads a few blocks; what was found among all of them is brought together.

use std::ops::Range;

use ndarray::Array;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::budget::Budget;
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::rechunk::Lists;
use crate::array::reductions::tree::tree_within;
use crate::array::reductions::unique::of_each_block;
use crate::array::sort::{ascending, lexical};
use crate::array::tile::Arith;
use crate::array::wiring::follow;
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
        self.searched(values, side, u64::MAX)
    }

    /// The same by tasks that read no more than about so many bytes of this array.
    #[track_caller]
    fn searched(&self, values: &DArray<T>, side: Side, bytes: u64) -> DArray<i64> {
        DArray::then(Search { side, bytes }, vec![values.to_any(), self.to_any()], ".searchsorted(…)")
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
        self.is_among(others, Budget::planned().short())
    }

    /// The same by tasks that read about so many bytes of the others.
    #[track_caller]
    fn is_among(&self, others: &DArray<T>, bytes: u64) -> DArray<bool> {
        let is_short = others.untyped().meta().is_ok_and(|meta| groups(meta, bytes).len() == 1);
        // Short ones are brought together, each once.
        let others = if is_short { others.unique() } else { others.clone() };
        DArray::then(IsIn { bytes: (!is_short).then_some(bytes) }, vec![self.to_any(), others.to_any()], ".is_in(…)")
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
    /// That a task reads of the sorted array at most, about.
    bytes: u64,
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
        let sorted = lowering.of(&node.inputs[1]);
        let groups = groups(node.inputs[1].meta()?, self.bytes.min(lowering.budget.short()));
        among(OpRef::new(SearchBlock { side: self.side }, self.line()), (sorted, &groups), node, lowering)
    }
}

struct IsIn {
    /// That a task reads of the others, about; `None` where these are in one block, each once and going up.
    bytes: Option<u64>,
}

impl Step for IsIn {
    fn line(&self) -> String {
        "is in".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: DType::Bool, cuts: inputs[0].cuts.clone() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (others, meta) = (lowering.of(&node.inputs[1]), node.inputs[1].meta()?);
        let (others, groups) = match self.bytes {
            None => (others, groups(meta, u64::MAX)),
            Some(bytes) => (of_each_block(others, meta, node, lowering)?, groups(meta, bytes)),
        };
        among(OpRef::new(IsInBlock, self.line()), (others, &groups), node, lowering)
    }
}

/// Blocks that a task reads at a time where their sizes are not known.
const BLIND: usize = 4;

/// The blocks of an array in groups of about so many bytes.
fn groups(meta: &Meta, bytes: u64) -> Vec<Range<usize>> {
    let blocks = meta.grid().iter().product::<usize>();
    let most = match meta.largest_block() {
        _ if meta.nbytes().is_some_and(|all| all <= bytes) => usize::MAX,
        Some(block) => usize::try_from(bytes / block.max(1)).unwrap_or(usize::MAX).max(1),
        None => BLIND,
    };
    (0..blocks).step_by(most).map(|first| first..blocks.min(first.saturating_add(most))).collect()
}

/// The layers of a search: each task reads a block of the first input and a group of blocks of the others.
fn among(op: OpRef, (others, groups): (Lowered, &[Range<usize>]), node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
    let values = lowering.of(&node.inputs[0]);
    let blocks = node.known()?.blocks()?;
    if groups.len() == 1 {
        let edges = vec![values.edge(Wiring::Each), others.edge(Wiring::Every)];
        return Ok(lowering.add(Layer::single("search", blocks, op, edges), node));
    }
    let tasks = u32::try_from(u64::from(blocks) * groups.len() as u64).map_err(|_| {
        let what = "a search of more blocks among more blocks than can be numbered together";
        Failure::new(Code::InvalidOption, what).help("larger chunks: .rechunk(\"auto\")")
    })?;
    let grid = [blocks as usize, groups.len()];
    let mut lists = Lists::new();
    for _ in 0..blocks {
        groups.iter().for_each(|group| lists.push(group.clone()));
    }
    let edges = vec![values.edge(follow(&grid[..1], &grid, &[Some(0)])), others.edge(lists.wiring())];
    let level = lowering.add(Layer::single("search", tasks, op, edges), node);
    let together = OpRef::new(FoundTogether, "found among all");
    let found = node.known()?.largest_block().unwrap_or(0);
    Ok(tree_within(lowering, level, &grid, &[false, true], found, (&together, together.clone()), node))
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

/// Whether the elements of a block are among others, which go up within each block.
#[derive(Serialize, Deserialize)]
pub(crate) struct IsInBlock;

impl Operator for IsInBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (values, others) = inputs.split_first().ok_or_else(|| Failure::internal("is_in: no block"))?;
        let values = block_of(values)?;
        with_dtype!(values.dtype(), T => {
            let elements = values.to_vec::<T>()?;
            let mut truths = vec![false; elements.len()];
            for block in others {
                ctx.check_cancelled()?;
                let block = block_of(block)?.to_vec::<T>()?;
                let is_in = |element: &T| !element.is_missing() && block.binary_search_by(|other| lexical(other, element)).is_ok();
                truths.iter_mut().zip(&elements).filter(|(found, _)| !**found).for_each(|(found, element)| *found = is_in(element));
            }
            Ok(Chunk::new(Block::from_vec(values.shape().to_vec(), truths)))
        })
    }
}

impl NamedOperator for IsInBlock {
    const NAME: &'static str = "array_is_in";
}

/// What was found among groups of blocks, together: places add up, and what is among some is among all.
#[derive(Serialize, Deserialize)]
pub(crate) struct FoundTogether;

impl Operator for FoundTogether {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        match blocks.first().map(|block| block.dtype()) {
            Some(DType::Bool) => together::<bool>(&blocks, |found, other| *found |= other),
            _ => together::<i64>(&blocks, |found, other| *found += other),
        }
    }
}

impl NamedOperator for FoundTogether {
    const NAME: &'static str = "array_found_together";
}

fn together<T: Held>(blocks: &[&Block], join: impl Fn(&mut T, T)) -> Result<Chunk, Failure> {
    let (first, rest) = blocks.split_first().ok_or_else(|| Failure::internal("search: nothing was found"))?;
    let mut found = first.to_vec::<T>()?;
    for block in rest {
        let others = block.to_vec::<T>()?;
        if others.len() != found.len() {
            return Err(Failure::internal("search: places of other elements"));
        }
        found.iter_mut().zip(others).for_each(|(found, other)| join(found, other));
    }
    Ok(Chunk::new(Block::from_vec(first.shape().to_vec(), found)))
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn};
    use partita_graph::Serial;
    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    use super::*;
    use crate::client::operator_registry;

    fn lazy<T: Element>(values: &[T], chunk: usize) -> DArray<T> {
        DArray::from_array(ArrayD::from_shape_vec(IxDyn(&[values.len()]), values.to_vec()).expect("as many"), chunk)
    }

    #[test]
    fn blocks_come_in_groups() {
        let of = |x: &DArray<u8>, bytes: u64| {
            let groups = groups(x.untyped().meta().expect("it fits"), bytes);
            groups.into_iter().map(|group| (group.start, group.end)).collect::<Vec<_>>()
        };
        let x = DArray::<u8>::zeros([10], 2);
        assert_eq!(of(&x, 10), [(0, 5)]);
        assert_eq!(of(&x, 9), [(0, 4), (4, 5)]);
        assert_eq!(of(&x, 0), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        assert_eq!(of(&DArray::zeros([0], 2), 0), [(0, 1)]);
        assert_eq!(of(&x.compress(&x.eq(0u8), 0), u64::MAX), [(0, 4), (4, 5)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn long_arrays_are_searched_by_blocks(
            values in vec(any::<i8>(), 0..30),
            others in vec(any::<i8>(), 0..80),
            (chunk, other_chunk) in (1usize..9, 1usize..9),
            bytes in 0u64..40,
        ) {
            let numbers = |values: &[i8]| values.iter().map(|x| if *x == 77 { f64::NAN } else { f64::from(x / 4) }).collect::<Vec<f64>>();
            let (values, mut others) = (numbers(&values), numbers(&others));
            let (x, serial) = (lazy(&values, chunk), Serial::new(operator_registry()));
            let is_in = values.iter().map(|value| others.contains(value)).collect::<Vec<bool>>();
            let found = x.is_among(&lazy(&others, other_chunk), bytes).compute_on(&serial).expect("it runs");
            prop_assert_eq!(found.into_iter().collect::<Vec<bool>>(), is_in);
            others.sort_by(lexical);
            let sorted = lazy(&others, other_chunk);
            for side in [Side::Left, Side::Right] {
                let place = |value: &f64| before(&others, value, side) as i64;
                let found = sorted.searched(&x, side, bytes).compute_on(&serial).expect("it runs");
                prop_assert_eq!(found.into_iter().collect::<Vec<i64>>(), values.iter().map(place).collect::<Vec<i64>>());
            }
        }
    }
}
