//! `fftshift` and `ifftshift`: the zero frequency in the middle, and back.

use crate::array::{Axes, DArray, Element};

impl<T: Element> DArray<T> {
    /// The second half of each axis before the first, so that the zero frequency of a transform comes to the middle.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::fftfreq(5, 0.2, 2);
    /// let middle = x.fftshift(Axes::all());
    /// assert_eq!(middle.compute()?.into_iter().collect::<Vec<_>>(), [-2.0, -1.0, 0.0, 1.0, 2.0]);
    /// assert_eq!(middle.ifftshift(0).compute()?, x.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, is named twice or whose sizes are not known.
    #[track_caller]
    pub fn fftshift(&self, axes: impl Into<Axes>) -> DArray<T> {
        self.half_round(&axes.into(), false, ".fftshift(…)")
    }

    /// What [`DArray::fftshift`] was made of.
    ///
    /// # Errors
    /// As [`DArray::fftshift`].
    #[track_caller]
    pub fn ifftshift(&self, axes: impl Into<Axes>) -> DArray<T> {
        self.half_round(&axes.into(), true, ".ifftshift(…)")
    }

    #[track_caller]
    fn half_round(&self, axes: &Axes, back: bool, method: &str) -> DArray<T> {
        let lens = self.untyped().meta().and_then(|meta| Ok((axes.of_array(meta.ndim())?, meta.lens())));
        let (turned, lens) = match lens {
            Ok(found) => found,
            Err(failure) => return DArray::failed(failure, method),
        };
        let mut found = self.clone();
        for axis in (0..turned.len()).filter(|axis| turned[*axis]) {
            // Where the length is not known, the step says so.
            let half = (lens[axis].unwrap_or(0) / 2) as i64;
            found = found.roll(if back { -half } else { half }, axis as isize);
        }
        found
    }
}
