//! The places of the axes before the core axes: what of each block lies at one, and where what is made of it goes.
//!
//! It refuses to know what makes it. Invariant: axes of length 1 are repeated, and where an axis has no elements nothing is made.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, IxDyn};
use partita_graph::{Code, Failure};

use crate::array::Held;
use crate::array::block::Block;
use crate::array::meta::{advance, tuple};

/// Makes a block: at each place `fill` writes `core` elements. Each of the blocks with these shapes has so many core axes, at its end.
pub(crate) fn at_places<U: Held>(
    shapes: &[&[usize]],
    cores: &[usize],
    core: &[usize],
    mut fill: impl FnMut(&[usize], ArrayViewMutD<'_, U>) -> Result<(), Failure>,
) -> Result<ArrayD<U>, Failure> {
    let ahead = shapes.iter().zip(cores).map(|(shape, core)| &shape[..shape.len().saturating_sub(*core)]);
    let mut loops = vec![1; ahead.clone().map(<[usize]>::len).max().unwrap_or(0)];
    for own in ahead {
        let first = loops.len() - own.len();
        let longer = own.iter().zip(&mut loops[first..]).filter(|(len, _)| **len != 1);
        longer.for_each(|(len, known)| *known = *len);
    }
    let mut result = ArrayD::from_elem(IxDyn(&[&loops[..], core].concat()), U::default());
    if loops.contains(&0) {
        return Ok(result);
    }
    let mut place = vec![0; loops.len()];
    loop {
        fill(&place, place.iter().fold(result.view_mut(), |target, at| target.index_axis_move(Axis(0), *at)))?;
        if !advance(&mut place, &loops) {
            return Ok(result);
        }
    }
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
pub(crate) fn other_core(found: &[usize], core: &[usize]) -> Failure {
    let what = format!("the function gave shape {} at one place, where {} was announced", tuple(found), tuple(core));
    Failure::new(Code::UserFunction, what)
}
