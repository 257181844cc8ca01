//! `fftfreq` and `rfftfreq`: which frequency each element of a transform belongs to.

use partita_graph::{Code, Failure};

use crate::array::{Chunks, DArray, where_};

impl DArray<f64> {
    /// The frequencies of a transform of `n` elements that are `spacing` apart, in cycles by the unit of the spacing: those that are not
    /// negative, then the negative ones.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::fftfreq(4, 0.25, 3).compute()?.into_iter().collect::<Vec<_>>(), [0.0, 1.0, -2.0, -1.0]);
    /// assert_eq!(DArray::rfftfreq(4, 0.25, 3).compute()?.into_iter().collect::<Vec<_>>(), [0.0, 1.0, 2.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no elements, a spacing of zero, chunks that do not fit.
    #[track_caller]
    pub fn fftfreq(n: usize, spacing: f64, chunks: impl Into<Chunks>) -> DArray<f64> {
        if let Err(failure) = are_apart(n, spacing) {
            return DArray::failed(failure, "fftfreq(…)");
        }
        let count = n as f64;
        let place = DArray::arange(0.0, count, 1.0, chunks);
        where_(&place.lt(n.div_ceil(2) as f64), &place, &place - count) / (count * spacing)
    }

    /// The frequencies that are not negative: those of a transform of real numbers; see [`DArray::fftfreq`].
    ///
    /// # Errors
    /// As [`DArray::fftfreq`].
    #[track_caller]
    pub fn rfftfreq(n: usize, spacing: f64, chunks: impl Into<Chunks>) -> DArray<f64> {
        if let Err(failure) = are_apart(n, spacing) {
            return DArray::failed(failure, "rfftfreq(…)");
        }
        DArray::arange(0.0, (n / 2 + 1) as f64, 1.0, chunks) / (n as f64 * spacing)
    }
}

fn are_apart(n: usize, spacing: f64) -> Result<(), Failure> {
    if n > 0 && spacing != 0.0 {
        return Ok(());
    }
    let what = format!("the frequencies of {n} elements that are {spacing} apart");
    Err(Failure::new(Code::InvalidOption, what).help("at least one element, and a spacing other than 0"))
}
