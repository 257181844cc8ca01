//! `unique`: every element once, in order, how often each is there, and where it is first. Blocks are reduced to their own, which are brought
//! together in a tree.

use std::cmp::Ordering;

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::state::{State, state_of};
use super::tree::tree;
use crate::array::block::{Block, block_of};
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
    /// [`DArray::compute_chunk_sizes`].
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
        DArray::then(Unique { found: Found::Elements }, vec![self.to_any()], ".unique()")
    }

    /// Every element once, and how often it is there.
    #[track_caller]
    pub fn unique_counts(&self) -> (DArray<T>, DArray<i64>) {
        (self.unique(), DArray::then(Unique { found: Found::Counts }, vec![self.to_any()], ".unique_counts()"))
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
        let line = self.ravel();
        (self.unique(), DArray::then(Unique { found: Found::Places }, vec![line.to_any()], ".unique_index()"))
    }

    /// Every element once, and for each element its place among them.
    #[track_caller]
    pub fn unique_inverse(&self) -> (DArray<T>, DArray<i64>) {
        let unique = self.unique();
        let places = unique.searchsorted(self, Side::Left);
        (unique, places)
    }
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
        Ok(Meta { dtype: if self.found == Found::Elements { inputs[0].dtype } else { DType::I64 }, cuts: vec![Cuts::Unknown(1)] })
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
        let combine = OpRef::new(UniqueOfStates { dtype: meta.dtype, places, end: None }, "combine unique");
        let end = OpRef::new(UniqueOfStates { dtype: meta.dtype, places, end: Some(self.found) }, self.line());
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
