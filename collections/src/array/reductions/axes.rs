//! How users say which axes a reduction goes over.

use partita_graph::{Code, Failure};

use crate::array::meta::{axis_of, tuple};

/// The axes that a reduction goes over, and whether they stay as axes of length 1.
///
/// One axis (`1`), several (`[0, -1]`), or all of them ([`Axes::all`]); negative ones count from the back.
///
/// ```
/// use partita::prelude::*;
/// let x = DArray::<f64>::ones([4, 6], 3);
/// assert_eq!(x.sum_axis(1).shape()?, [4]);
/// assert_eq!(x.sum_axis([0, -1]).ndim()?, 0);
/// assert_eq!(x.sum_axis(Axes::of(1).keepdims()).shape()?, [4, 1]);
/// assert_eq!(x.sum_axis(Axes::all().keepdims()).shape()?, [1, 1]);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Axes {
    /// `None` for all.
    which: Option<Vec<isize>>,
    keepdims: bool,
}

impl Axes {
    /// All axes.
    pub fn all() -> Self {
        Self { which: None, keepdims: false }
    }

    /// These axes.
    pub fn of(axes: impl Into<Axes>) -> Self {
        axes.into()
    }

    /// Keeps the axes as axes of length 1, so that the result fits beside the array elementwise.
    pub fn keepdims(mut self) -> Self {
        self.keepdims = true;
        self
    }

    /// Whether they stay.
    pub(in crate::array) fn are_kept(&self) -> bool {
        self.keepdims
    }

    /// Whether they are all axes.
    pub(in crate::array) fn are_all(&self) -> bool {
        self.which.is_none()
    }

    /// How many are named.
    pub(in crate::array) fn count(&self) -> usize {
        self.which.as_ref().map_or(0, Vec::len)
    }

    /// For each axis of an array whether it is one of them. Fails for an axis that does not exist or is named twice.
    pub(in crate::array) fn of_array(&self, ndim: usize) -> Result<Vec<bool>, Failure> {
        let Some(which) = &self.which else { return Ok(vec![true; ndim]) };
        let mut found = vec![false; ndim];
        for axis in which {
            let at = axis_of(*axis, ndim)?;
            if std::mem::replace(&mut found[at], true) {
                return Err(Failure::new(Code::InvalidOption, format!("axes {} name axis {at} twice", tuple(which))));
            }
        }
        Ok(found)
    }

    /// For plans.
    pub(in crate::array) fn show(&self) -> String {
        let kept = if self.keepdims { ", kept" } else { "" };
        match &self.which {
            None => format!("all axes{kept}"),
            Some(which) => format!("axes {}{kept}", tuple(which)),
        }
    }
}

impl From<Vec<isize>> for Axes {
    fn from(axes: Vec<isize>) -> Self {
        Self { which: Some(axes), keepdims: false }
    }
}

impl From<&[isize]> for Axes {
    fn from(axes: &[isize]) -> Self {
        axes.to_vec().into()
    }
}

impl From<i32> for Axes {
    fn from(axis: i32) -> Self {
        vec![axis as isize].into()
    }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Self {
        vec![axis].into()
    }
}

impl From<usize> for Axes {
    fn from(axis: usize) -> Self {
        vec![axis as isize].into()
    }
}

impl<const N: usize> From<[i32; N]> for Axes {
    fn from(axes: [i32; N]) -> Self {
        axes.into_iter().map(|axis| axis as isize).collect::<Vec<_>>().into()
    }
}

impl<const N: usize> From<[isize; N]> for Axes {
    fn from(axes: [isize; N]) -> Self {
        axes.to_vec().into()
    }
}
