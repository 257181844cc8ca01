//! The places of the axes before the core axes: what of each block lies at one, and where what is made of it goes.
//!
//! It refuses to know what makes it. Invariant: axes of length 1 are repeated, and where an axis has no elements nothing is made.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, IxDyn};
use partita_graph::{Chunk, Code, Failure};
use serde::{Deserialize, Serialize};

use crate::array::alike::Alike;
use crate::array::block::Block;
use crate::array::meta::{advance, tuple};
use crate::array::reductions::state::State;
use crate::array::{DType, Held, with_dtype};

/// One result of a function at a place.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The kind of its elements.
    pub dtype: DType,
    /// The lengths of its axes.
    pub core: Vec<usize>,
}

/// What a function gets of the blocks of several arrays that belong together.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// How many axes of each block, the last ones.
    cores: Vec<usize>,
    /// Which of the others are of one length.
    alike: Alike,
}

impl Inputs {
    pub(super) fn new(cores: Vec<usize>, alike: Alike) -> Self {
        Self { cores, alike }
    }

    /// How many axes of each block, the last ones.
    pub fn cores(&self) -> &[usize] {
        &self.cores
    }

    /// The lengths of the axes that are gone through. Fails when blocks do not belong together.
    pub fn loops(&self, blocks: &[&Block]) -> Result<Vec<usize>, Failure> {
        self.alike.check(blocks)?;
        let ahead = blocks.iter().zip(&self.cores).map(|(block, core)| &block.shape()[..block.shape().len().saturating_sub(*core)]);
        let mut loops = vec![1; ahead.clone().map(<[usize]>::len).max().unwrap_or(0)];
        for own in ahead {
            let first = loops.len() - own.len();
            let longer = own.iter().zip(&mut loops[first..]).filter(|(len, _)| **len != 1);
            longer.for_each(|(len, known)| *known = *len);
        }
        Ok(loops)
    }
}

/// All places, one after the other.
fn each_place(loops: &[usize], mut visit: impl FnMut(&[usize]) -> Result<(), Failure>) -> Result<(), Failure> {
    if loops.contains(&0) {
        return Ok(());
    }
    let mut place = vec![0; loops.len()];
    loop {
        visit(&place)?;
        if !advance(&mut place, loops) {
            return Ok(());
        }
    }
}

/// Makes a block: at each place `fill` writes an array of shape `core`.
pub(crate) fn at_places<U: Held>(
    loops: &[usize],
    core: &[usize],
    mut fill: impl FnMut(&[usize], ArrayViewMutD<'_, U>) -> Result<(), Failure>,
) -> Result<ArrayD<U>, Failure> {
    let mut result = ArrayD::from_elem(IxDyn(&[loops, core].concat()), U::default());
    each_place(loops, |place| fill(place, place.iter().fold(result.view_mut(), |target, at| target.index_axis_move(Axis(0), *at))))?;
    Ok(result)
}

/// Makes a block for each result: at each place `make` gives all of them. They come in one chunk, of which
/// [`TakePart`](crate::array::linalg::factor::TakePart) takes one.
pub(crate) fn several_at_places(
    loops: &[usize],
    results: &[Made],
    mut make: impl FnMut(&[usize]) -> Result<Vec<Block>, Failure>,
) -> Result<Chunk, Failure> {
    let mut made: Vec<Vec<Block>> = vec![Vec::new(); results.len()];
    each_place(loops, |place| {
        let parts = make(place)?;
        if parts.len() != results.len() {
            let what = format!("the function gave {} results at one place, where {} were announced", parts.len(), results.len());
            return Err(Failure::new(Code::UserFunction, what).help("as many as the signature names behind ->"));
        }
        made.iter_mut().zip(parts).for_each(|(made, part)| made.push(part));
        Ok(())
    })?;
    let mut numbers = Vec::with_capacity(results.len());
    for (Made { dtype, core }, parts) in results.iter().zip(&made) {
        let mut parts = parts.iter();
        let block = with_dtype!(*dtype, U => at_places::<U>(loops, core, |_, target| {
            put(parts.next().ok_or_else(|| Failure::internal("a place without a result"))?, core, target)
        }).map(Block::from_array));
        numbers.push(block?);
    }
    Ok(Chunk::new(State { count: 0, numbers }))
}

/// Writes what a function gave to its place. Fails when it has another shape than was announced.
pub(crate) fn put<U: Held>(made: &Block, core: &[usize], mut target: ArrayViewMutD<'_, U>) -> Result<(), Failure> {
    if made.shape() != core {
        return Err(other_core(made.shape(), core));
    }
    target.assign(&made.view::<U>()?);
    Ok(())
}

/// The place among the axes ahead of an array's core axes: it may have fewer than others, and those of length 1 are repeated.
fn own_place<'a>(shape: &'a [usize], core: usize, place: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    let ahead = shape.len().saturating_sub(core);
    shape[..ahead].iter().zip(&place[place.len() - ahead..]).map(|(len, at)| if *len == 1 { 0 } else { *at })
}

/// What of a view lies at a place.
pub(super) fn view_at<'a, T>(view: &ArrayViewD<'a, T>, core: usize, place: &[usize]) -> ArrayViewD<'a, T> {
    own_place(view.shape(), core, place).fold(view.clone(), |view, at| view.index_axis_move(Axis(0), at))
}

/// What of a block lies at a place, without a copy.
pub(crate) fn core_of(block: &Block, core: usize, place: &[usize]) -> Block {
    let own: Vec<usize> = own_place(block.shape(), core, place).collect();
    let ranges = block.shape().iter().enumerate().map(|(axis, len)| own.get(axis).map_or(0..*len, |at| *at..at + 1));
    let dropped: Vec<bool> = (0..block.shape().len()).map(|axis| axis < own.len()).collect();
    block.cut(&ranges.collect::<Vec<_>>()).without(&dropped)
}

/// The failure of a function that gave something of another shape.
pub(super) fn other_core(found: &[usize], core: &[usize]) -> Failure {
    let what = format!("the function gave shape {} at one place, where {} was announced", tuple(found), tuple(core));
    Failure::new(Code::UserFunction, what)
}
