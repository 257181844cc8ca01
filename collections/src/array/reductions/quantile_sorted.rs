//! Quantiles of all elements of a large array: it is sorted where it is, and the few elements that are asked for are taken.
//!
//! It refuses to know which arrays are large. The invariant: what comes out is what one chunk with all elements would give, up to the sign of
//! zero.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::quantile::Between;
use crate::array::block::block_of;
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
        let places = numbers.expand_dims(0).maximum(1.0) - 1.0;
        let places = places * DArray::from_array(ndarray::Array1::from_vec(q.to_vec()), -1);
        let places = if between == Between::Nearest { places.rint() } else { places };
        let at = |places: DArray<f64>| sorted.take_array(&places.cast::<i64>(), 0).cast::<f64>();
        let (low, high) = (at(places.floor()), at(places.ceil()));
        let share = &places - places.floor();
        let found = match between {
            Between::Lower | Between::Nearest => low,
            Between::Higher => high,
            Between::Midpoint => &low + (&high - &low) / 2.0,
            Between::Linear => {
                let below = &low + (&high - &low) * &share;
                let above = &high - (&high - &low) * (1.0 - &share);
                where_(&low.eq(&high), &low, where_(&share.lt(0.5), &below, &above))
            }
        };
        if skip_nan {
            return found;
        }
        found.where_(&!sorted.slice_axis(0, -1..).cast::<f64>().is_nan(), f64::NAN)
    }
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

    use super::*;
    use crate::array::{Axes, Element};
    use crate::client::operator_registry;

    const ALL: [Between; 5] = [Between::Linear, Between::Lower, Between::Higher, Between::Nearest, Between::Midpoint];

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
