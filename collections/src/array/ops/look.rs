//! What is known of an array without running it.

use partita_graph::Failure;

use crate::array::{DArray, DType, Element};

impl<T: Element> DArray<T> {
    /// Fails with what `compute` would refuse before sending any task: shapes that do not fit, an axis that does not exist, an
    /// option that cannot be used. The failure names the line of the step.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let failure = DArray::<f64>::zeros([4, 4], 2).rechunk([2]).check().map(|_| ()).unwrap_err();
    /// assert!(failure.to_string().contains("chunks are given for 1 axes, and the array has 2"));
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn check(&self) -> Result<&Self, Failure> {
        self.untyped().meta()?;
        Ok(self)
    }

    /// The kind of the elements.
    pub fn dtype(&self) -> DType {
        T::DTYPE
    }

    /// Elements along each axis.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f32>::zeros([5, 3], [2, 3]);
    /// assert_eq!((x.shape()?, x.ndim()?, x.size()?, x.nbytes()?), (vec![5, 3], 2, 15, 60));
    /// assert_eq!((x.chunks()?, x.chunksize()?), (vec![vec![2, 2, 1], vec![3]], vec![2, 3]));
    /// assert_eq!((x.numblocks()?, x.npartitions()?), (vec![3, 1], 3));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit; sizes that are not known yet, see [`DArray::compute_chunk_sizes`].
    pub fn shape(&self) -> Result<Vec<usize>, Failure> {
        self.untyped().meta()?.shape()
    }

    /// The number of axes.
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn ndim(&self) -> Result<usize, Failure> {
        Ok(self.untyped().meta()?.ndim())
    }

    /// The number of elements.
    ///
    /// # Errors
    /// As [`DArray::shape`].
    pub fn size(&self) -> Result<usize, Failure> {
        Ok(self.shape()?.iter().product())
    }

    /// The length of every chunk, axis by axis.
    ///
    /// # Errors
    /// As [`DArray::shape`].
    pub fn chunks(&self) -> Result<Vec<Vec<usize>>, Failure> {
        Ok(self.untyped().meta()?.sizes()?.iter().map(|sizes| sizes.to_vec()).collect())
    }

    /// The longest chunk along each axis.
    ///
    /// # Errors
    /// As [`DArray::shape`].
    pub fn chunksize(&self) -> Result<Vec<usize>, Failure> {
        Ok(self.untyped().meta()?.sizes()?.iter().map(|sizes| sizes.iter().max().copied().unwrap_or(0)).collect())
    }

    /// The number of chunks along each axis.
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn numblocks(&self) -> Result<Vec<usize>, Failure> {
        Ok(self.untyped().meta()?.grid())
    }

    /// The number of blocks.
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn npartitions(&self) -> Result<usize, Failure> {
        Ok(self.untyped().meta()?.blocks()? as usize)
    }

    /// Bytes of all elements.
    ///
    /// # Errors
    /// As [`DArray::shape`].
    pub fn nbytes(&self) -> Result<u64, Failure> {
        let meta = self.untyped().meta()?;
        match meta.nbytes() {
            Some(bytes) => Ok(bytes),
            None => meta.shape().map(|_| 0),
        }
    }
}
