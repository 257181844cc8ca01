//! A user's function for each element of a block, and for each index of one.
//!
//! It refuses to know the function. Invariant: elements are handed over as they are, in row-major order, and none is written as bytes.

use std::any::Any;

use ndarray::{ArrayD, IxDyn};
use partita_graph::{Chunk, Failure, TaskContext};

use crate::array::lend::kept;
use crate::array::meta::Place;
use crate::array::ops::from_fn;
use crate::array::{Block, with_dtype};

/// What is done with each value; it knows of which type they are.
pub(super) type OnEach<'a> = dyn FnMut(&dyn Any) -> Result<(), Failure> + 'a;

/// Calls between two looks at whether anybody wants the result.
const CALLS: usize = 1024;

/// Hands each element of a block over.
pub(super) fn each_element(ctx: &TaskContext<'_>, block: &Block, call: &mut OnEach<'_>) -> Result<(), Failure> {
    with_dtype!(block.dtype(), T => {
        for (at, element) in block.view::<T>()?.iter().enumerate() {
            still_wanted(ctx, at)?;
            call(element)?;
        }
        Ok(())
    })
}

/// Hands the index of each element of a block over, as a `Vec<usize>`.
pub(super) fn each_index(ctx: &TaskContext<'_>, place: &Place, call: &mut OnEach<'_>) -> Result<(), Failure> {
    let mut calls = 0;
    from_fn::each_index(place, |index| {
        still_wanted(ctx, calls)?;
        calls += 1;
        call(index)
    })
}

fn still_wanted(ctx: &TaskContext<'_>, calls: usize) -> Result<(), Failure> {
    if calls.is_multiple_of(CALLS) { ctx.check_cancelled() } else { Ok(()) }
}

/// A block of these elements, in row-major order. Their type is one that arrays are made of, though the type system does not know it.
pub(super) fn as_block<U: Send + Sync + 'static>(shape: &[usize], elements: Vec<U>) -> Result<Chunk, Failure> {
    let array = ArrayD::from_shape_vec(IxDyn(shape), elements);
    let array = array.map_err(|e| Failure::internal(format!("a call for each element of a block: {e}")))?;
    let block = kept(&mut Some(array)).ok_or_else(|| Failure::internal("elements of a type that arrays are not made of"))?;
    Ok(Chunk::new(block))
}
