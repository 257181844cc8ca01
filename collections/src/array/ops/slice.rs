//! `slice`, `flip`, `rot90` and `roll`: parts of an array, and its elements in another order along axes. Blocks are cut and turned
//! without a copy.

use ndarray::SliceInfoElem;
use partita_graph::{Code, Failure};

use crate::array::meta::{Cuts, Meta, axis_of, bounds, unknown_sizes};
use crate::array::pick::{Draw, Made, Picking, as_it_is, one_by_one, runs};
use crate::array::{Axes, DArray, Element};

impl<T: Element> DArray<T> {
    /// A part of the array, said with ndarray's `s![]`: ranges, steps, single places (whose axes disappear) and new axes.
    ///
    /// Negative bounds and places count from the back; a negative step goes through the same range from its end. Bounds beyond the ends
    /// mean the ends. Axes that nothing is said of stay whole.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::{NewAxis, array, s};
    /// let x = DArray::from_array(array![[1, 2, 3, 4], [5, 6, 7, 8]], 2);
    /// assert_eq!(x.slice(s![.., 1..3]).compute()?, array![[2, 3], [6, 7]].into_dyn());
    /// assert_eq!(x.slice(s![-1, ..;-2]).compute()?, array![8, 6].into_dyn());
    /// assert_eq!(x.slice(s![0]).shape()?, [4]);
    /// assert_eq!(x.slice(s![NewAxis, .., 0]).shape()?, [1, 2]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: more axes than the array has, a place that does not exist, a step of 0, sizes of chunks that are not known along an
    /// axis that is cut.
    #[doc(alias = "__getitem__")]
    #[doc(alias = "index")]
    #[track_caller]
    pub fn slice(&self, part: impl AsRef<[SliceInfoElem]>) -> DArray<T> {
        let part = part.as_ref().to_vec();
        let shown: Vec<String> = part.iter().map(ToString::to_string).collect();
        self.picked(".slice(…)", format!("slice [{}]", shown.join(", ")), move |meta| sliced(&part, meta))
    }

    /// The part at one place along an axis, which the result does not have; the place may be negative.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::eye(3, 2);
    /// assert_eq!(x.index_axis(1, -1).compute()?.into_iter().collect::<Vec<_>>(), [0.0, 0.0, 1.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis or a place that does not exist.
    #[track_caller]
    pub fn index_axis(&self, axis: isize, place: isize) -> DArray<T> {
        self.picked(".index_axis(…)", format!("place {place} of axis {axis}"), move |meta| {
            let axis = axis_of(axis, meta.ndim())?;
            let mut part = vec![WHOLE; axis];
            part.push(SliceInfoElem::Index(place));
            sliced(&part, meta)
        })
    }

    /// A range along one axis; see [`DArray::slice`] for what bounds may be.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known.
    #[track_caller]
    pub fn slice_axis(&self, axis: isize, range: impl Into<SliceInfoElem>) -> DArray<T> {
        let range = range.into();
        self.picked(".slice_axis(…)", format!("slice {range} of axis {axis}"), move |meta| {
            let mut part = vec![WHOLE; axis_of(axis, meta.ndim())?];
            part.push(range);
            sliced(&part, meta)
        })
    }

    /// The elements in reverse order along some axes.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2], [3, 4]], 1);
    /// assert_eq!(x.flip(1).compute()?, array![[2, 1], [4, 3]].into_dyn());
    /// assert_eq!(x.flip(Axes::all()).compute()?, array![[4, 3], [2, 1]].into_dyn());
    /// assert_eq!(x.rot90(1, [0, 1]).compute()?, array![[2, 4], [1, 3]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, is named twice or whose sizes are not known.
    #[doc(alias = "fliplr")]
    #[doc(alias = "flipud")]
    #[track_caller]
    pub fn flip(&self, axes: impl Into<Axes>) -> DArray<T> {
        let axes = axes.into();
        self.picked(".flip(…)", format!("flip {}", axes.show()), move |meta| {
            let turned = axes.of_array(meta.ndim())?;
            let along = |(axis, turned): (usize, bool)| -> Result<Vec<Made>, Failure> {
                if !turned {
                    return Ok(as_it_is(&meta.cuts[axis]));
                }
                let bounds = known_bounds(meta, axis)?;
                let len = bounds[bounds.len() - 1];
                Ok(one_by_one(runs(&bounds, len.saturating_sub(1), -1, len)))
            };
            Ok(Picking::of(turned.into_iter().enumerate().map(along).collect::<Result<_, _>>()?))
        })
    }

    /// The array turned by `times` right angles in the plane of two axes, from the first towards the second.
    ///
    /// # Errors
    /// At `compute`: axes that do not exist or are the same.
    #[track_caller]
    pub fn rot90(&self, times: i64, axes: [isize; 2]) -> DArray<T> {
        let [first, second] = axes;
        match times.rem_euclid(4) {
            0 => self.clone(),
            1 => self.flip(second).swap_axes(first, second),
            2 => self.flip(axes),
            _ => self.swap_axes(first, second).flip(second),
        }
    }

    /// The elements moved by `shift` places along an axis; what leaves it at one end comes in at the other.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 5, 1, 2);
    /// assert_eq!(x.roll(2, 0).compute()?.into_iter().collect::<Vec<_>>(), [3, 4, 0, 1, 2]);
    /// assert_eq!(x.roll(-1, 0).compute()?.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known.
    #[track_caller]
    pub fn roll(&self, shift: i64, axis: isize) -> DArray<T> {
        self.picked(".roll(…)", format!("roll by {shift} along axis {axis}"), move |meta| {
            let axis = axis_of(axis, meta.ndim())?;
            let bounds = known_bounds(meta, axis)?;
            let len = bounds[bounds.len() - 1];
            let front = shift.rem_euclid(len.max(1) as i64) as usize;
            let draws = [runs(&bounds, len - front, 1, front), runs(&bounds, 0, 1, len - front)].concat();
            let mut axes: Vec<Vec<Made>> = meta.cuts.iter().map(as_it_is).collect();
            axes[axis] = one_by_one(draws);
            Ok(Picking::of(axes))
        })
    }
}

/// An axis of which nothing is said.
const WHOLE: SliceInfoElem = SliceInfoElem::Slice { start: 0, end: None, step: 1 };

/// Where the chunks of an axis begin and end. Fails when their sizes are not known.
pub(in crate::array) fn known_bounds(meta: &Meta, axis: usize) -> Result<Vec<usize>, Failure> {
    meta.cuts[axis].sizes().map(|sizes| bounds(sizes)).ok_or_else(|| unknown_sizes(axis))
}

/// The number of a place, counted from the front; negative ones count from the back.
pub(in crate::array) fn place_of(place: isize, len: usize, axis: usize) -> Result<usize, Failure> {
    let found = if place < 0 { place + len as isize } else { place };
    usize::try_from(found).ok().filter(|found| *found < len).ok_or_else(|| {
        Failure::new(Code::IndexOutOfRange, format!("there is no place {place} along axis {axis}, which has {len} elements"))
    })
}

/// The places of a slice: the first, and how many.
fn places_of(start: isize, end: Option<isize>, step: isize, len: usize) -> (usize, usize) {
    let bound = |at: isize| if at < 0 { at.saturating_add_unsigned(len).max(0) as usize } else { len.min(at as usize) };
    let (low, high) = (bound(start), end.map_or(len, bound));
    let count = high.saturating_sub(low).div_ceil(step.unsigned_abs());
    (if step < 0 && count > 0 { high - 1 } else { low }, count)
}

/// What a slice picks.
pub(in crate::array) fn sliced(part: &[SliceInfoElem], meta: &Meta) -> Result<Picking, Failure> {
    let said = part.iter().filter(|item| !item.is_new_axis()).count();
    if said > meta.ndim() {
        let what = format!("a slice says something of {said} axes, and the array has {}", meta.ndim());
        return Err(Failure::new(Code::ShapeMismatch, what));
    }
    let (mut axes, mut arrange) = (Vec::with_capacity(meta.ndim()), Vec::new());
    for item in part.iter().chain(std::iter::repeat_n(&WHOLE, meta.ndim() - said)) {
        let axis = axes.len();
        match *item {
            SliceInfoElem::NewAxis => arrange.push(None),
            SliceInfoElem::Index(place) => {
                let bounds = known_bounds(meta, axis)?;
                let place = place_of(place, bounds[bounds.len() - 1], axis)?;
                axes.push(one_by_one(runs(&bounds, place, 1, 1)));
            }
            SliceInfoElem::Slice { step: 0, .. } => {
                return Err(Failure::new(Code::InvalidOption, format!("a slice in steps of 0 along axis {axis}")));
            }
            SliceInfoElem::Slice { start, end, step } => {
                arrange.push(Some(axis));
                axes.push(range(&meta.cuts[axis], (start, end, step), axis)?);
            }
        }
    }
    let plain = arrange.iter().copied().eq((0..meta.ndim()).map(Some));
    Ok(Picking { axes, arrange: (!plain).then_some(arrange) })
}

/// The chunks of a range of an axis.
fn range(cuts: &Cuts, (start, end, step): (isize, Option<isize>, isize), axis: usize) -> Result<Vec<Made>, Failure> {
    if (start, end, step) == (0, None, 1) {
        return Ok(as_it_is(cuts));
    }
    let bounds = bounds(cuts.sizes().ok_or_else(|| unknown_sizes(axis))?);
    let (first, count) = places_of(start, end, step, bounds[bounds.len() - 1]);
    let draws = runs(&bounds, first, step as i64, count);
    if step.unsigned_abs() == 1 {
        return Ok(one_by_one(draws));
    }
    Ok(together(draws, bounds.windows(2).map(|chunk| chunk[1] - chunk[0]).max().unwrap_or(0)))
}

/// Chunks of which few elements were taken come together, so that a slice in large steps does not leave many small ones. So many at most,
/// because a task holds all that it draws from.
const TOGETHER: usize = 4;

fn together(draws: Vec<(usize, Draw)>, longest: usize) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    let mut len = 0;
    for (chunk, draw) in draws {
        let here = if let Draw::Run { len, .. } = draw { len } else { 0 };
        match made.last_mut() {
            Some(last) if last.draws.len() < TOGETHER && len + here <= longest => {
                len += here;
                last.draws.push((chunk, draw));
            }
            _ => {
                len = here;
                made.push(Made { draws: vec![(chunk, draw)], order: None });
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_count_from_either_end() {
        assert_eq!(places_of(0, None, 1, 5), (0, 5));
        assert_eq!(places_of(-2, None, 1, 5), (3, 2));
        assert_eq!(places_of(1, Some(-1), 2, 6), (1, 2));
        assert_eq!(places_of(0, None, -1, 5), (4, 5));
        assert_eq!(places_of(1, Some(4), -2, 5), (3, 2));
        assert_eq!(places_of(3, Some(1), 1, 5), (3, 0));
        assert_eq!(places_of(-9, Some(9), 1, 5), (0, 5));
        assert_eq!(places_of(isize::MIN, Some(isize::MAX), isize::MIN, 5), (4, 1));
        assert_eq!(places_of(0, None, -1, 0), (0, 0));
        assert_eq!((place_of(-1, 3, 0).ok(), place_of(3, 3, 0).ok(), place_of(-4, 3, 0).ok()), (Some(2), None, None));
    }

    #[test]
    fn small_chunks_come_together() {
        let one = |chunk: usize| (chunk, Draw::Run { start: 0, step: 10, len: 1 });
        let lens: Vec<usize> = together((0..10).map(one).collect(), 10).iter().map(|made| made.draws.len()).collect();
        assert_eq!(lens, [4, 4, 2]);
        assert_eq!(together((0..4).map(one).collect(), 2).len(), 2);
    }
}
