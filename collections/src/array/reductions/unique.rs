//! `unique`: every element once, in order, and how often each is there. Blocks are reduced to their own, which are brought together in a
//! tree.

use std::cmp::Ordering;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::state::{State, state_of};
use super::tree::tree;
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, with_ordered};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::ops::search::Side;
use crate::array::sort::ascending;
use crate::array::tile::Rank;
use crate::array::{DArray, Node, Ordered, Step};

impl<T: Ordered> DArray<T> {
    /// Every element once, in ascending order, along one axis; all NaNs are one and come last. How many there are is known only after
    /// they were found; see [`DArray::compute_chunk_sizes`].
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
        DArray::then(Unique { counts: false }, vec![self.to_any()], ".unique()")
    }

    /// Every element once, and how often it is there.
    #[track_caller]
    pub fn unique_counts(&self) -> (DArray<T>, DArray<i64>) {
        (self.unique(), DArray::then(Unique { counts: true }, vec![self.to_any()], ".unique_counts()"))
    }

    /// Every element once, and for each element its place among them.
    #[track_caller]
    pub fn unique_inverse(&self) -> (DArray<T>, DArray<i64>) {
        let unique = self.unique();
        let places = unique.searchsorted(self, Side::Left);
        (unique, places)
    }
}

struct Unique {
    counts: bool,
}

impl Step for Unique {
    fn line(&self) -> String {
        if self.counts { "counts of unique elements".into() } else { "unique elements".into() }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: if self.counts { DType::I64 } else { inputs[0].dtype }, cuts: vec![Cuts::Unknown(1)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let of_block = OpRef::new(UniqueOfBlock, "unique of a block");
        let level = lowering.add(Layer::single("unique", meta.blocks()?, of_block, edges), node);
        let combine = OpRef::new(UniqueOfStates { dtype: meta.dtype, end: None }, "combine unique");
        let end = OpRef::new(UniqueOfStates { dtype: meta.dtype, end: Some(self.counts) }, self.line());
        Ok(tree(lowering, level, &meta.grid(), &vec![true; meta.ndim()], (&combine, end), node))
    }
}

/// Elements that go up, each with how often it is there: equal ones become one.
fn unique<T: Rank>(sorted: impl Iterator<Item = (T, i64)>) -> State {
    let (mut values, mut counts): (Vec<T>, Vec<i64>) = (Vec::new(), Vec::new());
    for (value, count) in sorted {
        match (values.last(), counts.last_mut()) {
            (Some(last), Some(known)) if ascending(last, &value) == Ordering::Equal => *known += count,
            _ => {
                values.push(value);
                counts.push(count);
            }
        }
    }
    let shape = vec![values.len()];
    State { count: 0, numbers: vec![Block::from_vec(shape.clone(), values), Block::from_vec(shape, counts)] }
}

/// The elements of a block, each once.
#[derive(Serialize, Deserialize)]
pub(crate) struct UniqueOfBlock;

impl Operator for UniqueOfBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("unique: no block"))??;
        with_ordered!(block.dtype(), T => {
            let mut values = block.to_vec::<T>()?;
            // Stable, so that of 0.0 and -0.0, which are equal, the first stays.
            values.sort_by(ascending);
            Ok(Chunk::new(unique(values.into_iter().map(|value| (value, 1)))))
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
    /// Whether this is the result, and of counts.
    end: Option<bool>,
}

impl Operator for UniqueOfStates {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let state = with_ordered!(self.dtype, T => {
            let mut all: Vec<(T, i64)> = Vec::new();
            for input in inputs {
                let [values, counts] = &state_of(input)?.numbers[..] else { return Err(Failure::internal("unique: a state without its numbers")) };
                all.extend(values.to_vec::<T>()?.into_iter().zip(counts.to_vec::<i64>()?));
            }
            all.sort_by(|a, b| ascending(&a.0, &b.0));
            unique(all.into_iter())
        });
        match self.end {
            None => Ok(Chunk::new(state)),
            Some(counts) => Ok(Chunk::new(state.numbers[usize::from(counts)].clone())),
        }
    }
}

impl NamedOperator for UniqueOfStates {
    const NAME: &'static str = "array_unique_combine";
}
