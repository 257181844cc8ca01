//! Quantiles of all elements of a large array: it is sorted where it is, and the few elements that are asked for are taken.
//!
//! It refuses to know which arrays are large. The invariant: what comes out is what one chunk with all elements would give, up to the sign of
//! zero.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::quantile::Between;
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::{DArray, Node, Ordered, Step, where_};

impl<T: Ordered> DArray<T> {
    /// The quantiles of all elements, of which there are some, in `f64`, along one axis.
    #[track_caller]
    pub(super) fn quantiles_by_sorting(&self, q: &[f64], between: Between, skip_nan: bool, method: &str) -> DArray<f64> {
        let Ok(len) = self.size() else { return DArray::then(Line, vec![self.to_any()], method) };
        let line: DArray<T> = DArray::then(Line, vec![self.to_any()], method);
        let sorted = line.sort(0);
        // A number is equal to itself. Where NaN counts it is the last one of the sorted.
        let numbers = if skip_nan { line.eq(&line).sum().cast::<f64>() } else { DArray::full((), len as f64, 1) };
        let ranks: DArray<f64> = DArray::then(Ranks { q: q.to_vec(), between }, vec![numbers.to_any()], method);
        let low = sorted.take_array(&ranks.index_axis(0, 0).cast::<i64>(), 0).cast::<f64>();
        let high = sorted.take_array(&ranks.index_axis(0, 1).cast::<i64>(), 0).cast::<f64>();
        let share = ranks.index_axis(0, 2);
        let from_low = &low + (&high - &low) * &share;
        let from_high = &high - (&high - &low) * (1.0 - &share);
        let nearer = if between == Between::Midpoint { from_low } else { where_(&share.lt(0.5), &from_low, &from_high) };
        let found = where_(&low.eq(&high), &low, nearer);
        if skip_nan {
            return found;
        }
        found.where_(&!sorted.slice_axis(0, -1..).cast::<f64>().is_nan(), f64::NAN)
    }
}

/// Three rows: the ranks of the elements before and behind each quantile, and how far it is on the way; of as many elements as there are.
struct Ranks {
    q: Vec<f64>,
    between: Between,
}

impl Step for Ranks {
    fn line(&self) -> String {
        format!("ranks of quantiles {:?}, {:?}", self.q, self.between)
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: DType::F64, cuts: vec![Cuts::whole(3), Cuts::whole(self.q.len())] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let op = OpRef::new(RanksOfCount { q: self.q.clone(), between: self.between }, self.line());
        Ok(lowering.add(Layer::single("ranks", 1, op, edges), node))
    }
}

/// Where quantiles lie among as many elements as a block of one says.
#[derive(Serialize, Deserialize)]
pub(crate) struct RanksOfCount {
    q: Vec<f64>,
    between: Between,
}

impl Operator for RanksOfCount {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let count = inputs.first().map(block_of).ok_or_else(|| Failure::internal("quantile: no block"))??.to_vec::<f64>()?;
        let count = count.first().map_or(1, |count| (*count as usize).max(1));
        let ranks: Vec<(usize, usize, f64)> = self.q.iter().map(|q| self.between.ranks(*q, count)).collect();
        let (first, second) = (ranks.iter().map(|rank| rank.0 as f64), ranks.iter().map(|rank| rank.1 as f64));
        let rows = first.chain(second).chain(ranks.iter().map(|rank| rank.2)).collect();
        Ok(Chunk::new(Block::from_vec(vec![3, self.q.len()], rows)))
    }
}

impl NamedOperator for RanksOfCount {
    const NAME: &'static str = "array_ranks_of_count";
}

/// All elements along one axis, block by block, in the blocks that they are in.
struct Line;

impl Step for Line {
    fn line(&self) -> String {
        "elements in the order of blocks".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let lens = inputs[0].places()?.iter().map(|place| place.shape.iter().product()).collect::<Vec<usize>>();
        Ok(Meta { dtype: inputs[0].dtype, cuts: vec![Cuts::Known(lens.into())] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = lowering.of(&node.inputs[0]);
        let op = OpRef::new(BlockAsLine, self.line());
        Ok(lowering.add(Layer::single("line", node.known()?.blocks()?, op, vec![input.edge(Wiring::Each)]), node))
    }
}

/// A block as a line of its elements.
#[derive(Serialize, Deserialize)]
pub(crate) struct BlockAsLine;

impl Operator for BlockAsLine {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("quantile: no block"))??;
        Ok(Chunk::new(block.reshaped(&[block.len()])?))
    }
}

impl NamedOperator for BlockAsLine {
    const NAME: &'static str = "array_block_as_line";
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, IxDyn};
    use partita_graph::Serial;

    use super::super::quantile::ALL;
    use super::*;
    use crate::array::{Axes, Element};
    use crate::client::operator_registry;

    fn bits<T: Element>(array: &DArray<T>) -> Vec<String> {
        let found = array.compute_on(&Serial::new(operator_registry())).expect("it runs");
        found.iter().map(|value| format!("{value:?}")).collect()
    }

    fn check<T: Ordered>(values: Vec<T>, shape: [usize; 2], chunks: [usize; 2]) {
        let x = DArray::from_array(Array::from_shape_vec(IxDyn(&shape), values).expect("as many"), chunks);
        let q = [0.0, 0.1, 0.25, 0.5, 0.77, 1.0];
        for between in ALL {
            let found = bits(&x.quantiles_by_sorting(&q, between, false, "").cast::<T::Mean>());
            let one_by_one = q.map(|q| bits(&x.quantile_with(q, Axes::all(), between)).concat());
            assert_eq!(found, one_by_one, "{between:?} in {chunks:?}");
        }
        let skipping = bits(&x.quantiles_by_sorting(&[0.3], Between::Linear, true, ""));
        let plain = x.cast::<f64>().nanquantile(0.3, Axes::all());
        assert_eq!(skipping, bits(&plain), "without NaN in {chunks:?}");
    }

    #[test]
    fn what_is_sorted_gives_what_one_chunk_gives() {
        let numbers = || (0..77).map(|at| f64::from(at * 31 % 77) * 0.3 - 9.0);
        for chunks in [[2, 3], [7, 4], [1, 11], [3, 2]] {
            check(numbers().collect(), [7, 11], chunks);
            check(numbers().map(|x| if x > 12.0 { f64::NAN } else { x }).collect(), [7, 11], chunks);
            check(numbers().map(|x| if x > 9.0 { f64::INFINITY } else { x }).collect(), [7, 11], chunks);
            check(numbers().map(|x| x as i32).collect(), [7, 11], chunks);
            check(vec![f64::NAN; 77], [7, 11], chunks);
        }
    }

    #[test]
    fn large_arrays_are_sorted_and_small_ones_are_not() {
        let plan = |side: usize, axes: Axes| DArray::<f64>::ones([side, 1000], [side / 4, 1000]).median(axes).explain();
        assert!(plan(40_000, Axes::all()).contains("elements in the order of blocks"));
        assert!(!plan(1000, Axes::all()).contains("elements in the order of blocks"));
        assert!(!plan(40_000, Axes::of(1)).contains("elements in the order of blocks"));
        let shape = |axes: Axes| DArray::<f64>::ones([40_000, 1000], 1000).quantiles(&[0.1, 0.2], axes).shape().expect("known");
        assert_eq!((shape(Axes::all()), shape(Axes::all().keepdims())), (vec![2], vec![2, 1, 1]));
    }
}
