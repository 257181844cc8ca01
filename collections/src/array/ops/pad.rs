//! `pad`: an array with something around it, by all of NumPy's ways of saying what.

use partita_graph::{Code, Failure};

use crate::array::meta::{Meta, tuple};
use crate::array::ops::concatenate::concatenate;
use crate::array::ops::slice::known_bounds;
use crate::array::pick::{Made, Picking, as_it_is, places};
use crate::array::{Axes, DArray, Real};

/// What stands around an array.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pad<T> {
    /// The same element everywhere.
    Constant(T),
    /// The nearest element.
    Edge,
    /// The array as in a mirror that stands on its last element: `c b | a b c | b a`.
    Reflect,
    /// The array as in a mirror that stands behind its last element: `b a | a b c | c b`.
    Symmetric,
    /// The array again: `b c | a b c | a b`.
    Wrap,
    /// From the nearest element in even steps to this one, which stands at the end.
    LinearRamp(T),
    /// The greatest element along the axis.
    Maximum,
    /// The least element along the axis.
    Minimum,
    /// The mean along the axis; integers are rounded.
    Mean,
}

impl<T: Real> DArray<T> {
    /// The array with elements around it: for each axis how many before and how many behind. One pair holds for every axis.
    ///
    /// ```
    /// use partita::{Pad, prelude::*};
    /// let x = DArray::arange(1, 4, 1, 2);
    /// let padded = |how: Pad<i32>| Ok::<_, partita::Error>(x.pad(&[(2, 1)], how).compute()?.into_iter().collect::<Vec<_>>());
    /// assert_eq!(padded(Pad::Constant(0))?, [0, 0, 1, 2, 3, 0]);
    /// assert_eq!(padded(Pad::Edge)?, [1, 1, 1, 2, 3, 3]);
    /// assert_eq!(padded(Pad::Reflect)?, [3, 2, 1, 2, 3, 2]);
    /// assert_eq!(padded(Pad::Symmetric)?, [2, 1, 1, 2, 3, 3]);
    /// assert_eq!(padded(Pad::Wrap)?, [2, 3, 1, 2, 3, 1]);
    /// assert_eq!(padded(Pad::Mean)?, [2, 2, 1, 2, 3, 2]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: pairs for another number of axes, sizes of chunks that are not known, nothing that an edge could be of.
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)], how: Pad<T>) -> DArray<T> {
        let widths = match self.untyped().meta().and_then(|meta| for_each_axis(widths, meta)) {
            Ok(widths) => widths,
            Err(failure) => return DArray::failed(failure, ".pad(…)"),
        };
        match how {
            Pad::Edge => self.mirrored(widths, |place, len| place.clamp(0, len - 1)),
            Pad::Reflect => self.mirrored(widths, |place, len| mirrored(place, len, 1)),
            Pad::Symmetric => self.mirrored(widths, |place, len| mirrored(place, len, 0)),
            Pad::Wrap => self.mirrored(widths, |place, len| place.rem_euclid(len)),
            _ => {
                let mut array = self.clone();
                for (axis, widths) in widths.into_iter().enumerate() {
                    array = array.padded_axis(axis, widths, how);
                }
                array
            }
        }
    }

    /// Padded with elements of its own: `place` says which, for places before 0 and behind the last.
    #[track_caller]
    fn mirrored(&self, widths: Vec<(usize, usize)>, place: fn(i64, i64) -> i64) -> DArray<T> {
        self.picked(".pad(…)", "pad".into(), move |meta| {
            let along = |(axis, (before, behind)): (usize, &(usize, usize))| padded(meta, axis, (*before, *behind), place);
            Ok(Picking::of(widths.iter().enumerate().map(along).collect::<Result<_, _>>()?))
        })
    }

    /// Padded along one axis with what stands nowhere in it.
    #[track_caller]
    fn padded_axis(&self, axis: usize, (before, behind): (usize, usize), how: Pad<T>) -> DArray<T> {
        if (before, behind) == (0, 0) {
            return self.clone();
        }
        let mut parts = Vec::with_capacity(3);
        if before > 0 {
            parts.push(self.strip(axis, before, how, true));
        }
        parts.push(self.clone());
        if behind > 0 {
            parts.push(self.strip(axis, behind, how, false));
        }
        concatenate(&parts, axis as isize)
    }

    /// What stands before or behind an axis.
    #[track_caller]
    fn strip(&self, axis: usize, width: usize, how: Pad<T>, before: bool) -> DArray<T> {
        let shape = match self.shape() {
            Ok(shape) => shape,
            Err(failure) => return DArray::failed(failure, ".pad(…)"),
        };
        let with = |len: usize| {
            let mut shape = shape.clone();
            shape[axis] = len;
            shape
        };
        let kept = Axes::of(axis).keepdims();
        let line = match how {
            Pad::Constant(value) => return DArray::full(with(1), value, -1).broadcast_to(with(width)),
            Pad::Maximum => self.max_axis(kept),
            Pad::Minimum => self.min_axis(kept),
            Pad::Mean if T::DTYPE.is_float() => self.mean_axis(kept).cast::<T>(),
            Pad::Mean => self.mean_axis(kept).cast::<f64>().rint().cast::<T>(),
            Pad::LinearRamp(end) => return self.ramp(axis, width, end, before),
            Pad::Edge | Pad::Reflect | Pad::Symmetric | Pad::Wrap => self.clone(),
        };
        line.broadcast_to(with(width))
    }

    /// Even steps from the end to the nearest element.
    #[track_caller]
    fn ramp(&self, axis: usize, width: usize, end: T, before: bool) -> DArray<T> {
        let place = if before { 0..1 } else { -1..isize::MAX };
        let edge = self.slice_axis(axis as isize, place).cast::<f64>();
        let steps = DArray::arange(0.0, width as f64, 1.0, -1);
        let steps = if before { steps } else { steps.flip(0) };
        let behind = self.ndim().unwrap_or(axis + 1) - axis - 1;
        let steps = steps.reshape(std::iter::once(-1).chain(std::iter::repeat_n(1, behind)));
        let end = end.to_f64();
        let ramp = (edge - end) / width as f64 * steps + end;
        // Integers are rounded down, as NumPy does, also below zero.
        if T::DTYPE.is_float() { ramp.cast::<T>() } else { ramp.floor().cast::<T>() }
    }
}

/// A pair for each axis.
fn for_each_axis(widths: &[(usize, usize)], meta: &Meta) -> Result<Vec<(usize, usize)>, Failure> {
    match widths {
        [all] => Ok(vec![*all; meta.ndim()]),
        each if each.len() == meta.ndim() => Ok(each.to_vec()),
        _ => {
            let what = format!("widths are given for {} axes, and the array has {}", widths.len(), meta.ndim());
            Err(Failure::new(Code::ShapeMismatch, what).help("a pair for each axis, or one for all: .pad(&[(1, 1)], how)"))
        }
    }
}

/// The place in a mirror; `on` says whether it stands on the last element (1) or behind it (0).
pub(in crate::array) fn mirrored(place: i64, len: i64, on: i64) -> i64 {
    let period = (2 * (len - on)).max(1);
    let place = place.rem_euclid(period);
    if place < len { place } else { period - 1 + on - place }
}

/// An axis with what stands before and behind it.
fn padded(meta: &Meta, axis: usize, (before, behind): (usize, usize), place: fn(i64, i64) -> i64) -> Result<Vec<Made>, Failure> {
    let bounds = known_bounds(meta, axis)?;
    let len = bounds[bounds.len() - 1];
    if (before, behind) == (0, 0) {
        return Ok(as_it_is(&meta.cuts[axis]));
    }
    if len == 0 {
        let what = format!("an array of shape {} has no elements to go on with along axis {axis}", tuple(meta.shape()?));
        return Err(Failure::new(Code::EmptyReduction, what).help("give an element: Pad::Constant(0)"));
    }
    let strip = |range: std::ops::Range<i64>| {
        let wanted: Vec<usize> = range.map(|at| place(at, len as i64) as usize).collect();
        (!wanted.is_empty()).then(|| places(&bounds, &wanted))
    };
    let end = len as i64;
    let first = strip(-(before as i64)..0);
    let last = strip(end..end + behind as i64);
    Ok(first.into_iter().chain(as_it_is(&meta.cuts[axis])).chain(last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_stand_on_or_behind_the_last_element() {
        let line = |on: i64, len: i64| (-5..8).map(|at| mirrored(at, len, on)).collect::<Vec<_>>();
        assert_eq!(line(1, 3), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!(line(0, 3), [1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        assert_eq!(line(1, 1), [0; 13]);
    }
}
