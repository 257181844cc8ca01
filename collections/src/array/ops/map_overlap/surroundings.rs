//! How users say what blocks get of their surroundings: how far they reach, and what lies beyond the ends.

use partita_graph::Failure;

use crate::array::meta::for_each_axis;

/// What lies beyond the ends of an array, for functions that look around them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Boundary<T> {
    /// Nothing: the first and last blocks get less.
    None,
    /// The other end of the array.
    Periodic,
    /// The array as in a mirror behind its last element.
    Reflect,
    /// The nearest element.
    Nearest,
    /// This element.
    Constant(T),
}

/// A [`Boundary`] for each axis: one for all of them, or an array or `Vec` with one for each.
///
/// ```
/// use partita::{Boundary, prelude::*};
/// use partita::ndarray::array;
/// let x = DArray::from_array(array![[1, 2], [3, 4]], -1);
/// let found = x.overlap(&[1, 1], [Boundary::Periodic, Boundary::None]);
/// assert_eq!(found.compute()?, array![[3, 4], [1, 2], [3, 4], [1, 2]].into_dyn());
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Boundaries<T>(Vec<Boundary<T>>);

impl<T> From<Boundary<T>> for Boundaries<T> {
    fn from(boundary: Boundary<T>) -> Self {
        Self(vec![boundary])
    }
}

impl<T, const N: usize> From<[Boundary<T>; N]> for Boundaries<T> {
    fn from(boundaries: [Boundary<T>; N]) -> Self {
        Self(boundaries.into())
    }
}

impl<T> From<Vec<Boundary<T>>> for Boundaries<T> {
    fn from(boundaries: Vec<Boundary<T>>) -> Self {
        Self(boundaries)
    }
}

impl<T: Copy> Boundaries<T> {
    /// One for each axis.
    pub(super) fn of_axes(&self, ndim: usize) -> Result<Vec<Boundary<T>>, Failure> {
        for_each_axis(&self.0, ndim, "boundaries", "one for each axis, or one for all")
    }
}

/// How many elements before and behind a block it also gets, for each axis: one number for all axes and both sides, one for each axis, or a
/// pair for each axis.
///
/// ```
/// use partita::{Boundary, prelude::*};
/// let x = DArray::arange(0, 4, 1, 2);
/// let chunks = |depths: &[(usize, usize)]| x.overlap(depths, Boundary::Nearest).chunks();
/// assert_eq!(x.overlap(&[1], Boundary::Nearest).chunks()?, [[4, 4]]);
/// assert_eq!(chunks(&[(1, 0)])?, [[3, 3]]);
/// assert_eq!(chunks(&[(0, 2)])?, [[4, 4]]);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Depths(Vec<(usize, usize)>);

impl From<&[usize]> for Depths {
    fn from(depths: &[usize]) -> Self {
        Self(depths.iter().map(|depth| (*depth, *depth)).collect())
    }
}

impl<const N: usize> From<&[usize; N]> for Depths {
    fn from(depths: &[usize; N]) -> Self {
        depths[..].into()
    }
}

impl From<&Vec<usize>> for Depths {
    fn from(depths: &Vec<usize>) -> Self {
        depths[..].into()
    }
}

impl From<&[(usize, usize)]> for Depths {
    fn from(depths: &[(usize, usize)]) -> Self {
        Self(depths.to_vec())
    }
}

impl<const N: usize> From<&[(usize, usize); N]> for Depths {
    fn from(depths: &[(usize, usize); N]) -> Self {
        depths[..].into()
    }
}

impl From<&Vec<(usize, usize)>> for Depths {
    fn from(depths: &Vec<(usize, usize)>) -> Self {
        depths[..].into()
    }
}

impl Depths {
    /// One for each axis: how many before and how many behind.
    pub(super) fn of_axes(&self, ndim: usize) -> Result<Vec<(usize, usize)>, Failure> {
        for_each_axis(&self.0, ndim, "depths", "one for each axis, or one for all: .map_overlap(&[1], …)")
    }
}
