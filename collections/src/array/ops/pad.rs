//! `pad`: an array with something around it, by NumPy's ways of saying what, except functions of the user's own.

use partita_graph::{Code, Failure};

use crate::array::element::with_ordered;
use crate::array::meta::{Meta, for_each_axis, tuple};
use crate::array::ops::concatenate::concatenate;
use crate::array::ops::slice::known_bounds;
use crate::array::pick::{Made, Picking, as_it_is, places};
use crate::array::tile::Binary;
use crate::array::{Axes, DArray, DType, Element};

/// How what is said of axes is written.
const EACH_AXIS: &str = "a pair for each axis, or one for all: .pad(&[(1, 1)], how)";

/// What stands around an array.
#[derive(Clone, PartialEq, Debug)]
pub enum Pad<T> {
    /// The same element everywhere.
    Constant(T),
    /// For each axis an element before and one behind; one pair holds for every axis.
    Constants(Vec<(T, T)>),
    /// The nearest element.
    Edge,
    /// The array as in a mirror that stands on its last element: `c b | a b c | b a`.
    Reflect,
    /// The array as in a mirror that stands behind its last element: `b a | a b c | c b`.
    Symmetric,
    /// As [`Pad::Reflect`], and turned about the last element, so that slopes go on: `-2 -1 | 0 1 2 | 3 4`. Not of `bool`.
    ReflectOdd,
    /// As [`Pad::Symmetric`], and turned about the last element. Not of `bool`.
    SymmetricOdd,
    /// The array again: `b c | a b c | a b`.
    Wrap,
    /// Whatever costs nothing, which is zeros.
    Empty,
    /// From the nearest element in even steps to this one, which stands at the end. Of real numbers.
    LinearRamp(T),
    /// The same to an element before and one behind for each axis; one pair holds for every axis.
    LinearRamps(Vec<(T, T)>),
    /// The greatest element along the axis. Not of complex numbers, and neither are the least and the median.
    Maximum,
    /// The least element along the axis.
    Minimum,
    /// The mean along the axis; integers are rounded.
    Mean,
    /// The median along the axis; integers are rounded.
    Median,
}

impl<T: Element> Pad<T> {
    /// Whether it is made of all elements along an axis, or of the nearest ones.
    fn is_statistic(&self) -> bool {
        matches!(self, Pad::Maximum | Pad::Minimum | Pad::Mean | Pad::Median)
    }

    /// Fails where elements of this kind have no such thing, or where it is said for another number of axes.
    fn check(&self, meta: &Meta) -> Result<(), Failure> {
        let (is_complex, is_bool) = (T::DTYPE.is_complex(), T::DTYPE == DType::Bool);
        let fits = match self {
            Pad::Maximum | Pad::Minimum | Pad::Median => !is_complex,
            Pad::LinearRamp(_) | Pad::LinearRamps(_) => !is_complex && !is_bool,
            Pad::ReflectOdd | Pad::SymmetricOdd => !is_bool,
            Pad::Constant(_) | Pad::Constants(_) | Pad::Edge | Pad::Reflect | Pad::Symmetric | Pad::Wrap | Pad::Empty | Pad::Mean => true,
        };
        if !fits {
            let what = format!("Pad::{self:?} is not defined for elements of {}", T::DTYPE);
            return Err(Failure::new(Code::TypeMismatch, what).help("cast them first, or pad parts: .re(), .im()"));
        }
        match self {
            Pad::Constants(pairs) | Pad::LinearRamps(pairs) => for_each_axis(pairs, meta.ndim(), "elements", EACH_AXIS).map(|_| ()),
            _ => Ok(()),
        }
    }
}

impl<T: Element> DArray<T> {
    /// The array with elements around it: for each axis how many before and how many behind. One pair holds for every axis. Axes are padded one
    /// after the other, so that corners are what the last axis says.
    ///
    /// ```
    /// use partita::{Pad, prelude::*};
    /// let x = DArray::arange(1, 4, 1, 2);
    /// let padded = |how: Pad<i32>| Ok::<_, partita::Error>(x.pad(&[(2, 1)], how).compute()?.into_iter().collect::<Vec<_>>());
    /// assert_eq!(padded(Pad::Constant(0))?, [0, 0, 1, 2, 3, 0]);
    /// assert_eq!(padded(Pad::Constants(vec![(7, 8)]))?, [7, 7, 1, 2, 3, 8]);
    /// assert_eq!(padded(Pad::Edge)?, [1, 1, 1, 2, 3, 3]);
    /// assert_eq!(padded(Pad::Reflect)?, [3, 2, 1, 2, 3, 2]);
    /// assert_eq!(padded(Pad::ReflectOdd)?, [-1, 0, 1, 2, 3, 4]);
    /// assert_eq!(padded(Pad::Symmetric)?, [2, 1, 1, 2, 3, 3]);
    /// assert_eq!(padded(Pad::Wrap)?, [2, 3, 1, 2, 3, 1]);
    /// assert_eq!(padded(Pad::Median)?, [2, 2, 1, 2, 3, 2]);
    /// let mask = DArray::from_array(partita::ndarray::array![true, false], 2).pad(&[(1, 1)], Pad::Constant(true));
    /// assert_eq!(mask.compute()?.into_iter().collect::<Vec<_>>(), [true, true, false, true]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: pairs for another number of axes, sizes of chunks that are not known, nothing that an edge could be of, what is not defined
    /// for this kind of elements.
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)], how: Pad<T>) -> DArray<T> {
        self.padded(widths, &how, None)
    }

    /// [`DArray::pad`] with the greatest, the least, the mean or the median of the nearest elements alone: for each axis so many before and so many
    /// behind. One pair holds for every axis.
    ///
    /// ```
    /// use partita::{Pad, prelude::*};
    /// let x = DArray::from_array(partita::ndarray::array![1.0, 3.0, 5.0, 9.0], 2);
    /// let padded = x.pad_with(&[(1, 1)], Pad::Mean, &[(2, 3)]);
    /// assert_eq!(padded.compute()?.into_iter().collect::<Vec<_>>(), [2.0, 1.0, 3.0, 5.0, 9.0, 17.0 / 3.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::pad`]; no elements to take it of, another way of padding.
    #[doc(alias = "stat_length")]
    #[track_caller]
    pub fn pad_with(&self, widths: &[(usize, usize)], how: Pad<T>, nearest: &[(usize, usize)]) -> DArray<T> {
        if !how.is_statistic() {
            let failure = Failure::new(Code::InvalidOption, format!("Pad::{how:?} does not ask how many elements are near"));
            return DArray::failed(failure.help(".pad(widths, how)"), ".pad_with(…)");
        }
        self.padded(widths, &how, Some(nearest))
    }

    #[track_caller]
    fn padded(&self, widths: &[(usize, usize)], how: &Pad<T>, nearest: Option<&[(usize, usize)]>) -> DArray<T> {
        let checked = |meta: &Meta| {
            how.check(meta)?;
            nearest.map(|nearest| for_each_axis(nearest, meta.ndim(), "numbers of nearest elements", EACH_AXIS)).transpose()?;
            for_each_axis(widths, meta.ndim(), "widths", EACH_AXIS)
        };
        let widths = match self.untyped().meta().and_then(checked) {
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
                    array = match array.padded_axis(axis, widths, how, nearest) {
                        Ok(array) => array,
                        Err(failure) => return DArray::failed(failure, ".pad(…)"),
                    };
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
    fn padded_axis(
        &self,
        axis: usize,
        (before, behind): (usize, usize),
        how: &Pad<T>,
        nearest: Option<&[(usize, usize)]>,
    ) -> Result<DArray<T>, Failure> {
        if (before, behind) == (0, 0) {
            return Ok(self.clone());
        }
        let mut parts = Vec::with_capacity(3);
        if before > 0 {
            parts.push(self.strip((axis, true), before, how, nearest)?);
        }
        parts.push(self.clone());
        if behind > 0 {
            parts.push(self.strip((axis, false), behind, how, nearest)?);
        }
        Ok(concatenate(&parts, axis as isize))
    }

    /// What stands before or behind an axis.
    #[track_caller]
    fn strip(&self, side: Side, width: usize, how: &Pad<T>, nearest: Option<&[(usize, usize)]>) -> Result<DArray<T>, Failure> {
        let (mut shape, mut line) = (self.shape()?, self.shape()?);
        (shape[side.0], line[side.0]) = (width, 1);
        let value = match how {
            Pad::Constant(value) => *value,
            Pad::Constants(pairs) => of_side(pairs, side),
            Pad::LinearRamp(end) => return Ok(self.ramp(side, width, *end)),
            Pad::LinearRamps(ends) => return Ok(self.ramp(side, width, of_side(ends, side))),
            Pad::ReflectOdd => return self.turned(side, width, 1),
            Pad::SymmetricOdd => return self.turned(side, width, 0),
            Pad::Maximum | Pad::Minimum | Pad::Mean | Pad::Median => {
                let nearest = nearest.map(|nearest| of_side(nearest, side));
                return Ok(self.statistic(side, how, nearest)?.broadcast_to(shape));
            }
            Pad::Empty | Pad::Edge | Pad::Reflect | Pad::Symmetric | Pad::Wrap => T::default(),
        };
        Ok(DArray::full(line, value, -1).broadcast_to(shape))
    }

    /// What all elements along an axis come to, or the nearest ones.
    #[track_caller]
    fn statistic(&self, (axis, before): Side, how: &Pad<T>, nearest: Option<usize>) -> Result<DArray<T>, Failure> {
        let len = self.shape()?[axis];
        let near = nearest.map_or(len, |nearest| nearest.min(len));
        if near == 0 {
            let what = format!("Pad::{how:?} of no elements along axis {axis}, of an array of shape {}", tuple(self.shape()?));
            return Err(Failure::new(Code::EmptyReduction, what).help("give an element: Pad::Constant(…)"));
        }
        let range = if before { 0..near as isize } else { (len - near) as isize..len as isize };
        let of = if near == len { self.clone() } else { self.slice_axis(axis as isize, range) };
        let kept = Axes::of(axis).keepdims();
        if matches!(how, Pad::Mean) {
            return Ok(rounded(&of.mean_axis(kept)));
        }
        let of = of.to_any();
        let found = with_ordered!(T::DTYPE, U => {
            let of = of.typed::<U>()?;
            let found: DArray<U> = match how {
                Pad::Maximum => of.max_axis(kept),
                Pad::Minimum => of.min_axis(kept),
                _ => rounded(&of.median(kept)),
            };
            found.to_any()
        });
        found.typed::<T>()
    }

    /// Even steps from the end to the nearest element.
    #[track_caller]
    fn ramp(&self, (axis, before): Side, width: usize, end: T) -> DArray<T> {
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

    /// The array as in mirrors that stand on the first element (1) or before it (0), each time turned about it too.
    #[track_caller]
    fn turned(&self, (axis, before): Side, width: usize, on: usize) -> Result<DArray<T>, Failure> {
        let (len, along) = (self.shape()?[axis], axis as isize);
        if !before {
            return Ok(self.flip(along).turned((axis, true), width, on)?.flip(along));
        }
        if len == 0 {
            return Err(nothing_to_go_on_with(&self.shape()?, axis));
        }
        let period = len - on;
        if period == 0 {
            // One element has no slope.
            let mut shape = self.shape()?;
            shape[axis] = width;
            return Ok(self.broadcast_to(shape));
        }
        let (mut image, mut pieces, mut left) = (self.clone(), Vec::new(), width);
        while left > 0 {
            let edge = image.slice_axis(along, 0..1isize);
            image = edge.binary(Binary::Add, &edge, ".pad(…)").binary(Binary::Sub, image.flip(along), ".pad(…)");
            let here = period.min(left);
            pieces.push(image.slice_axis(along, (period - here) as isize..period as isize));
            left -= here;
        }
        pieces.reverse();
        Ok(concatenate(&pieces, along))
    }
}

/// An axis, and whether it is the side before it that is meant.
type Side = (usize, bool);

/// What a list of pairs says of a side; one pair holds for every axis.
fn of_side<V: Copy>(pairs: &[(V, V)], (axis, before): Side) -> V {
    let (first, last) = if let [all] = pairs { *all } else { pairs[axis] };
    if before { first } else { last }
}

/// Means as elements of the array. Integers are rounded, as NumPy does.
#[track_caller]
fn rounded<M: Element, T: Element>(means: &DArray<M>) -> DArray<T> {
    if T::DTYPE.is_float() || T::DTYPE.is_complex() || T::DTYPE == DType::Bool {
        return means.cast::<T>();
    }
    means.cast::<f64>().rint().cast::<T>()
}

fn nothing_to_go_on_with(shape: &[usize], axis: usize) -> Failure {
    let what = format!("an array of shape {} has no elements to go on with along axis {axis}", tuple(shape));
    Failure::new(Code::EmptyReduction, what).help("give an element: Pad::Constant(0)")
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
        return Err(nothing_to_go_on_with(&meta.shape()?, axis));
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
