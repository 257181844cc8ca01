//! `tril` and `triu`: an array with zeros above or below a diagonal of its last two axes.

use partita_graph::{Code, Failure};

use crate::array::{DArray, Element};

impl<T: Element> DArray<T> {
    /// The array with zeros above diagonal `k` of its last two axes; 0 is the main one, 1 the next above it.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2], [3, 4]], 1);
    /// assert_eq!(x.tril(0).compute()?, array![[1, 0], [3, 4]].into_dyn());
    /// assert_eq!(x.triu(1).compute()?, array![[0, 2], [0, 0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: fewer axes than two, sizes of chunks that are not known.
    #[track_caller]
    pub fn tril(&self, k: isize) -> DArray<T> {
        match self.triangle(k) {
            Ok(below) => self.where_(&below, T::default()),
            Err(failure) => DArray::failed(failure, ".tril(…)"),
        }
    }

    /// The array with zeros below diagonal `k` of its last two axes; see [`DArray::tril`].
    ///
    /// # Errors
    /// As [`DArray::tril`].
    #[track_caller]
    pub fn triu(&self, k: isize) -> DArray<T> {
        match self.triangle(k.saturating_sub(1)) {
            Ok(below) => self.where_(&!below, T::default()),
            Err(failure) => DArray::failed(failure, ".triu(…)"),
        }
    }

    /// The truths on and below a diagonal, cut as the array is.
    #[track_caller]
    fn triangle(&self, k: isize) -> Result<DArray<bool>, Failure> {
        let chunks = self.chunks()?;
        let Some([rows, columns]) = chunks.last_chunk::<2>() else {
            let what = format!("a triangle of an array of shape {}", self.untyped().meta()?.show_shape());
            return Err(Failure::new(Code::ShapeMismatch, what).help("it needs two axes"));
        };
        let cuts = vec![rows.clone(), columns.clone()];
        Ok(DArray::<u8>::tri(rows.iter().sum(), columns.iter().sum(), k, cuts).is_nonzero())
    }
}
