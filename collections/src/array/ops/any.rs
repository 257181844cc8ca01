//! What can be asked of an array whose kind is known only at run time, and how it becomes one of a known kind.

use partita_graph::Failure;

use crate::array::element::with_dtype;
use crate::array::{AnyArray, DArray, Element};

impl AnyArray {
    /// The array with its elements cast, unless they are of this kind already; see [`DArray::cast`] for what becomes of them.
    /// [`AnyArray::typed`] does not cast.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let any = DArray::arange(0u8, 4, 1, 2).to_any();
    /// assert_eq!((any.shape()?, any.chunks()?), (vec![4], vec![vec![2, 2]]));
    /// assert_eq!(any.to::<f64>()?.compute()?.sum(), 6.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    #[doc(alias = "astype")]
    #[track_caller]
    pub fn to<T: Element>(&self) -> Result<DArray<T>, Failure> {
        let dtype = self.dtype()?;
        Ok(with_dtype!(dtype, S => DArray::<S>::of(self.clone()).cast::<T>()))
    }

    /// Elements along each axis.
    ///
    /// # Errors
    /// As [`DArray::shape`].
    pub fn shape(&self) -> Result<Vec<usize>, Failure> {
        self.meta()?.shape()
    }

    /// The length of every chunk, axis by axis.
    ///
    /// # Errors
    /// As [`DArray::shape`].
    pub fn chunks(&self) -> Result<Vec<Vec<usize>>, Failure> {
        Ok(self.meta()?.sizes()?.iter().map(|sizes| sizes.to_vec()).collect())
    }
}
