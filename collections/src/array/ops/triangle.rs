//! `tril` and `triu`: an array with zeros above or below a diagonal of its last two axes.

use partita_graph::{Code, Failure};

use crate::array::{Chunks, DArray, Element};

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

impl DArray<i64> {
    /// The places on and below diagonal `k` of a matrix of so many rows and columns: those along its rows and those along its columns. How
    /// many a chunk has is known after they were made; see [`DArray::compute_chunk_sizes`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let places = DArray::tril_indices(2, 2, 0, -1)?;
    /// assert_eq!(places[0].compute()?.into_iter().collect::<Vec<_>>(), [0, 1, 1]);
    /// assert_eq!(places[1].compute()?.into_iter().collect::<Vec<_>>(), [0, 0, 1]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// Chunks that do not fit.
    #[doc(alias = "tril_indices_from")]
    #[track_caller]
    pub fn tril_indices(rows: usize, columns: usize, k: isize, chunks: impl Into<Chunks>) -> Result<Vec<DArray<i64>>, Failure> {
        DArray::<u8>::tri(rows, columns, k, chunks).nonzero()
    }

    /// The places on and above diagonal `k`; see [`DArray::tril_indices`].
    ///
    /// # Errors
    /// Chunks that do not fit.
    #[doc(alias = "triu_indices_from")]
    #[track_caller]
    pub fn triu_indices(rows: usize, columns: usize, k: isize, chunks: impl Into<Chunks>) -> Result<Vec<DArray<i64>>, Failure> {
        DArray::<u8>::ones([rows, columns], chunks).triu(k).nonzero()
    }
}
