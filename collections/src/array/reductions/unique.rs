//! `unique`: every element once, in order, how often each is there, and where it is first. Blocks are reduced to their own, which are brought
//! together in a tree, or range by range where they are more than a task may hold.

use std::cmp::Ordering;

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::state::{State, state_of};
use super::tree::tree;
use super::unique_ranges;
use crate::array::block::{Block, block_of};
use crate::array::budget::Budget;
use crate::array::element::{DType, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::ops::search::Side;
use crate::array::sort::lexical;
use crate::array::tile::Arith;
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// Every element once, in ascending order, along one axis; all NaNs are one and come last. Complex numbers are ordered by their real parts, and
    /// where these are equal by the imaginary ones. How many there are is known only after they were found; see
    /// [`DArray::compute_chunk_sizes`]. They come in one chunk, or, of an array of more than 64 MiB or a quarter of the memory for each thread, in several,
    /// each of which is found in a task of its own; what goes with them comes in the same chunks.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[3, 1], [3, 2]], 1);
    /// assert_eq!(x.unique().compute()?, array![1, 2, 3].into_dyn());
    /// assert_eq!(x.unique_counts().1.compute()?, array![1, 1, 2].into_dyn());
    /// assert_eq!(x.unique_inverse().1.compute()?, array![[2, 0], [2, 1]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn unique(&self) -> DArray<T> {
        self.once(Found::Elements, Budget::planned().short(), ".unique()")
    }

    /// Every element once, and how often it is there.
    #[track_caller]
    pub fn unique_counts(&self) -> (DArray<T>, DArray<i64>) {
        self.once_and(Found::Counts, ".unique_counts()")
    }

    /// Every element once, and the place at which it is first, counted in row-major order.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let (unique, places) = DArray::from_array(array![[3, 1], [3, 2]], 1).unique_index();
    /// assert_eq!((unique.compute()?, places.compute()?), (array![1, 2, 3].into_dyn(), array![1, 3, 0].into_dyn()));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: sizes of chunks that are not known.
    #[doc(alias = "return_index")]
    #[track_caller]
    pub fn unique_index(&self) -> (DArray<T>, DArray<i64>) {
        self.ravel().once_and(Found::Places, ".unique_index()")
    }

    /// Every element once, and for each element its place among them.
    #[track_caller]
    pub fn unique_inverse(&self) -> (DArray<T>, DArray<i64>) {
        let unique = self.unique();
        let places = unique.searchsorted(self, Side::Left);
        (unique, places)
    }

    /// Elements once each, and what is wanted besides: of the same blocks and within the same budget, so that both come in the same chunks.
    #[track_caller]
    fn once_and(&self, found: Found, method: &str) -> (DArray<T>, DArray<i64>) {
        let bytes = Budget::planned().short();
        (self.once(Found::Elements, bytes, method), self.once(found, bytes, method))
    }

    /// Of elements once each what is wanted, in ranges of about so many bytes.
    #[track_caller]
    fn once<U: Element>(&self, found: Found, bytes: u64, method: &str) -> DArray<U> {
        DArray::then(Unique { found, bytes }, vec![self.to_any()], method)
    }
}

/// The elements of each block by itself, once each and going up.
pub(in crate::array) fn of_each_block(array: Lowered, meta: &Meta, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
    let (dtype, blocks) = (meta.dtype, meta.blocks()?);
    let once = OpRef::new(UniqueOfBlock { places: false }, "unique of a block");
    let states = lowering.add(Layer::single("unique", blocks, once, vec![array.edge(Wiring::Each)]), node);
    let elements = OpRef::new(UniqueOfStates { dtype, places: false, end: Some(Found::Elements) }, "elements");
    Ok(lowering.add(Layer::single("elements", blocks, elements, vec![states.edge(Wiring::Each)]), node))
}

/// What is wanted of the elements that are there.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Found {
    /// Each once.
    Elements,
    /// How often each is there.
    Counts,
    /// Where each is first, in an array of one axis.
    Places,
}

struct Unique {
    found: Found,
    /// Of a range, about; an array that is shorter comes in one.
    bytes: u64,
}

impl Step for Unique {
    fn line(&self) -> String {
        match self.found {
            Found::Elements => "unique elements".into(),
            Found::Counts => "counts of unique elements".into(),
            Found::Places => "first places of unique elements".into(),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        if self.found == Found::Places {
            inputs[0].sizes()?;
        }
        let dtype = if self.found == Found::Elements { inputs[0].dtype } else { DType::I64 };
        Ok(Meta { dtype, cuts: vec![Cuts::Unknown(unique_ranges::count(inputs[0], self.bytes)?)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let places = self.found == Found::Places;
        let of_block = OpRef::new(UniqueOfBlock { places }, "unique of a block");
        let level = if places {
            let first = |start: &[usize]| start.first().map_or(0, |start| *start as i64);
            let args = meta.places()?.iter().map(|place| Arg::encode(&first(&place.start))).collect();
            Layer::with_args("unique", of_block, args, edges)
        } else {
            Layer::single("unique", meta.blocks()?, of_block, edges)
        };
        let level = lowering.add(level, node);
        let end = OpRef::new(UniqueOfStates { dtype: meta.dtype, places, end: Some(self.found) }, self.line());
        let ranges = unique_ranges::count(meta, self.bytes)?;
        if ranges > 1 {
            return unique_ranges::lower(level, ranges, end, meta, node, lowering);
        }
        let combine = OpRef::new(UniqueOfStates { dtype: meta.dtype, places, end: None }, "combine unique");
        Ok(tree(lowering, level, &meta.grid(), &vec![true; meta.ndim()], (&combine, end), node))
    }
}

/// Elements that go up, each with how often it is there, or with its place: equal ones become one.
fn unique<T: Arith>(sorted: impl Iterator<Item = (T, i64)>, places: bool) -> State {
    let (mut values, mut numbers): (Vec<T>, Vec<i64>) = (Vec::new(), Vec::new());
    for (value, number) in sorted {
        match (values.last(), numbers.last_mut()) {
            (Some(last), Some(known)) if lexical(last, &value) == Ordering::Equal => *known += if places { 0 } else { number },
            _ => {
                values.push(value);
                numbers.push(number);
            }
        }
    }
    let shape = vec![values.len()];
    State { count: 0, numbers: vec![Block::from_vec(shape.clone(), values), Block::from_vec(shape, numbers)] }
}

/// The elements of a block, each once.
#[derive(Serialize, Deserialize)]
pub(crate) struct UniqueOfBlock {
    /// Whether places are wanted instead of counts; the argument is that of the block's first element.
    places: bool,
}

impl Operator for UniqueOfBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("unique: no block"))??;
        with_dtype!(block.dtype(), T => {
            let mut values = block.to_vec::<T>()?;
            // Stable, so that of equal ones, as 0.0 and -0.0 are, the first stays.
            if self.places {
                let first: i64 = ctx.arg()?.decode()?;
                let mut placed: Vec<(T, i64)> = values.into_iter().zip(first..).collect();
                placed.sort_by(|a, b| lexical(&a.0, &b.0));
                return Ok(Chunk::new(unique(placed.into_iter(), true)));
            }
            values.sort_by(lexical);
            Ok(Chunk::new(unique(values.into_iter().map(|value| (value, 1)), false)))
        })
    }
}

impl NamedOperator for UniqueOfBlock {
    const NAME: &'static str = "array_unique";
}

/// The elements of several blocks, each once.
#[derive(Serialize, Deserialize)]
pub(crate) struct UniqueOfStates {
    dtype: DType,
    /// Whether they come with places instead of counts.
    places: bool,
    /// Whether this is the result, and of what.
    end: Option<Found>,
}

impl Operator for UniqueOfStates {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let state = with_dtype!(self.dtype, T => {
            let mut all: Vec<(T, i64)> = Vec::new();
            for input in inputs {
                let [values, counts] = &state_of(input)?.numbers[..] else { return Err(Failure::internal("unique: a state without its numbers")) };
                all.extend(values.to_vec::<T>()?.into_iter().zip(counts.to_vec::<i64>()?));
            }
            all.sort_by(|a, b| lexical(&a.0, &b.0));
            unique(all.into_iter(), self.places)
        });
        match self.end {
            None => Ok(Chunk::new(state)),
            Some(found) => Ok(Chunk::new(state.numbers[usize::from(found != Found::Elements)].clone())),
        }
    }
}

impl NamedOperator for UniqueOfStates {
    const NAME: &'static str = "array_unique_combine";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::{ArrayD, IxDyn};
    use partita_graph::Serial;

    use super::*;
    use crate::client::operator_registry;

    fn computed<T: Element>(array: &DArray<T>) -> Vec<T> {
        array.compute_on(&Serial::new(operator_registry())).expect("it runs").into_iter().collect()
    }

    /// In ranges of any size what the tree gives, and that in chunks that fit together.
    fn check<T: Element>(values: Vec<T>, shape: [usize; 2], chunks: [usize; 2]) {
        let x = DArray::from_array(ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many"), chunks);
        let line = x.ravel();
        let all = |found| computed::<i64>(&line.once(found, u64::MAX, ""));
        let (elements, counts, places) = (computed(&line.once::<T>(Found::Elements, u64::MAX, "")), all(Found::Counts), all(Found::Places));
        for bytes in [1, 16, 100] {
            let (once, number) = (line.once::<T>(Found::Elements, bytes, ""), line.once::<i64>(Found::Counts, bytes, ""));
            assert_eq!(format!("{:?}", computed(&once)), format!("{elements:?}"), "{chunks:?}, {bytes}");
            assert_eq!((computed(&number), computed(&line.once::<i64>(Found::Places, bytes, ""))), (counts.clone(), places.clone()));
            let serial = Serial::new(operator_registry());
            let sizes = |cuts: Result<Vec<Vec<usize>>, Failure>| cuts.expect("they were found");
            let pair = (once.compute_chunk_sizes_on(&serial).expect("it runs"), number.compute_chunk_sizes_on(&serial).expect("it runs"));
            assert_eq!(sizes(pair.0.chunks()), sizes(pair.1.chunks()));
        }
    }

    #[test]
    fn ranges_change_nothing() {
        let numbers: Vec<i64> = (0..60).map(|at| at * 7919 % 37).collect();
        let floats: Vec<f64> = numbers.iter().map(|x| if x % 9 == 4 { f64::NAN } else { *x as f64 - 18.0 }).collect();
        for chunks in [[1, 1], [2, 5], [6, 3], [4, 10], [6, 10]] {
            check(numbers.clone(), [6, 10], chunks);
            check(floats.clone(), [6, 10], chunks);
            check(floats.iter().map(|x| num_complex::Complex::new((x / 8.0).trunc(), *x)).collect(), [6, 10], chunks);
            check(vec![7u8; 60], [6, 10], chunks);
            check(numbers.iter().map(|x| *x > 20).collect(), [6, 10], chunks);
        }
        check(Vec::<f32>::new(), [0, 10], [1, 4]);
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        numbers.iter().for_each(|x| *counts.entry(*x).or_default() += 1);
        let x = DArray::from_array(ArrayD::from_shape_vec(IxDyn(&[60]), numbers).expect("as many"), 7);
        let found: BTreeMap<i64, i64> =
            computed(&x.once::<i64>(Found::Elements, 1, "")).into_iter().zip(computed(&x.once(Found::Counts, 1, ""))).collect();
        assert_eq!(found, counts);
    }

    #[test]
    fn short_arrays_come_in_one_chunk_and_long_ones_in_several() {
        let chunks = |len: usize| {
            let x = DArray::<i64>::zeros([len], 1 << 22);
            x.once::<i64>(Found::Elements, 64 << 20, "").numblocks().expect("chunks")[0]
        };
        assert_eq!((chunks(1 << 10), chunks(1 << 23), chunks((1 << 23) + 1), chunks(1 << 26)), (1, 1, 2, 8));
        let unknown = |blocks: usize| {
            let x = DArray::<i64>::zeros([blocks], 1);
            x.compress(&x.eq(0i64), 0).unique().numblocks().expect("chunks")[0]
        };
        assert_eq!((unknown(16), unknown(17)), (1, 17));
    }
}
