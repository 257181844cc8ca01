//! `take`, `delete` and `insert`: the parts of an array at some places along an axis, those at all others, and others between them.

use partita_graph::Failure;

use crate::array::meta::axis_of;
use crate::array::ops::concatenate::concatenate;
use crate::array::ops::slice::{known_bounds, place_of};
use crate::array::pick::{Made, Picking, as_it_is, places};
use crate::array::{DArray, Element};

impl<T: Element> DArray<T> {
    /// The parts at these places along an axis, in this order; a place may be named several times, and negative ones count from the back.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 2);
    /// assert_eq!(x.take([2, 0, -1], 1).compute()?, array![[3, 1, 3], [6, 4, 6]].into_dyn());
    /// assert_eq!(x.delete([1], 1).compute()?, array![[1, 3], [4, 6]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis or a place that does not exist; an axis whose sizes are not known.
    #[doc(alias = "select")]
    #[track_caller]
    pub fn take(&self, at: impl IntoIterator<Item = isize>, axis: isize) -> DArray<T> {
        let at: Vec<isize> = at.into_iter().collect();
        self.picked(".take(…)", format!("take {} along axis {axis}", at.len()), move |meta| {
            let axis = axis_of(axis, meta.ndim())?;
            let bounds = known_bounds(meta, axis)?;
            let len = bounds[bounds.len() - 1];
            let wanted = at.iter().map(|place| place_of(*place, len, axis)).collect::<Result<Vec<usize>, Failure>>()?;
            let mut axes: Vec<Vec<Made>> = meta.cuts.iter().map(as_it_is).collect();
            axes[axis] = in_chunks(&bounds, &wanted);
            Ok(Picking::of(axes))
        })
    }

    /// Without the parts at these places along an axis.
    ///
    /// # Errors
    /// At `compute`: an axis or a place that does not exist; an axis whose sizes are not known.
    #[track_caller]
    pub fn delete(&self, at: impl IntoIterator<Item = isize>, axis: isize) -> DArray<T> {
        let at: Vec<isize> = at.into_iter().collect();
        self.picked(".delete(…)", format!("delete {} along axis {axis}", at.len()), move |meta| {
            let axis = axis_of(axis, meta.ndim())?;
            let bounds = known_bounds(meta, axis)?;
            let mut stays = vec![true; bounds[bounds.len() - 1]];
            for place in &at {
                let at = place_of(*place, stays.len(), axis)?;
                stays[at] = false;
            }
            let along = |chunk: &[usize]| (chunk[0]..chunk[1]).filter(|place| stays[*place]).collect::<Vec<usize>>();
            let mut axes: Vec<Vec<Made>> = meta.cuts.iter().map(as_it_is).collect();
            axes[axis] = bounds.windows(2).map(|chunk| places(&bounds, &along(chunk))).collect();
            Ok(Picking::of(axes))
        })
    }

    /// With `values` before place `at` of an axis; along the other axes they are as long as the array.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 4, 1, 2);
    /// let found = x.insert(1, &DArray::full([2], 9, 2), 0).compute()?;
    /// assert_eq!(found.into_iter().collect::<Vec<_>>(), [0, 9, 9, 1, 2, 3]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, values that do not fit.
    #[track_caller]
    pub fn insert(&self, at: isize, values: &DArray<T>, axis: isize) -> DArray<T> {
        concatenate(&[self.slice_axis(axis, ..at), values.clone(), self.slice_axis(axis, at..)], axis)
    }
}

/// Places in chunks about as long as the old ones.
fn in_chunks(bounds: &[usize], wanted: &[usize]) -> Vec<Made> {
    let longest = bounds.windows(2).map(|chunk| chunk[1] - chunk[0]).max().unwrap_or(0).max(1);
    if wanted.is_empty() {
        return vec![places(bounds, &[])];
    }
    wanted.chunks(longest).map(|wanted| places(bounds, wanted)).collect()
}
