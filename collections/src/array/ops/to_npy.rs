//! `to_npy`, `to_npy_stack`: an array as files of NumPy, which appear when they are complete.

use std::ffi::OsStr;

use partita_graph::{Executor, Failure, Origin};
use partita_io::npy;
use partita_io::write::{Destination, Replaces};

use crate::array::chunks::block_bytes;
use crate::array::files::{array_failure, kind_of};
use crate::array::meta::{Cuts, axis_of};
use crate::array::write::{ArrayTarget, WrittenArray, write};
use crate::array::{Along, Chunks, DArray, Element};
use crate::client::Client;
use crate::frame::ops::token;

impl<T: Element> DArray<T> {
    /// Writes the array as one `.npy` file, which every program with NumPy reads; local or in a store.
    ///
    /// The array is cut into blocks of whole rows, which tasks write side by side under hidden names; the last step joins them. The file
    /// appears when it is complete, and until then the old one can be read, if there is one; `overwrite` says that it may be replaced.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.npy");
    /// let x = DArray::<f64>::eye(4, 2);
    /// let written = x.to_npy(&path, false)?;
    /// assert_eq!((written.elements, written.files), (16, 1));
    /// assert_eq!(DArray::<f64>::read_npy(&path)?.compute()?, x.compute()?);
    /// assert!(x.to_npy(&path, false).is_err(), "nothing is overwritten unasked");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Before any task is sent: a step that does not fit, sizes of chunks that are not known, a file that is there already (unless
    /// `overwrite`), a place that cannot be written. While it runs: as [`DArray::compute`]; parts that the publishing worker does not see,
    /// because workers have no storage in common.
    #[doc(alias = "save")]
    #[track_caller]
    pub fn to_npy(&self, path: impl AsRef<OsStr>, overwrite: bool) -> Result<WrittenArray, Failure> {
        self.to_npy_on(&Client::current()?, path, overwrite)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::to_npy`].
    #[track_caller]
    pub fn to_npy_on(&self, executor: &dyn Executor, path: impl AsRef<OsStr>, overwrite: bool) -> Result<WrittenArray, Failure> {
        let origin = Origin::here(".to_npy(…)");
        let located = |failure: Failure| failure.origin(Some(&origin));
        let shape = self.shape().map_err(located)?;
        kind_of(T::DTYPE, "to_npy").map_err(located)?;
        let array = self.rechunk(in_rows(&self.chunks()?, &shape, T::DTYPE.size()));
        array.untyped().meta()?;
        let begin = || -> Result<Destination, partita_io::Error> {
            let to = Destination::file(&path.as_ref().to_string_lossy(), &format!("{:016x}", token()), overwrite)?;
            to.begin()?;
            Ok(to)
        };
        let to = begin().map_err(|error| located(array_failure(error, "to_npy")))?;
        write(array.untyped(), executor, ArrayTarget::Npy(to, shape), &origin)
    }

    /// Writes the array into a folder as files `0.npy`, `1.npy`, …, one for each chunk along `axis`, which may be negative; the other axes
    /// are taken whole. The file `info` beside them is Dask's, which reads such a folder with `from_npy_stack`. Published as
    /// [`DArray::to_zarr`] does.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("stack");
    /// let x = DArray::<i64>::ones([3, 5], 2);
    /// assert_eq!(x.to_npy_stack(&path, 1, false)?.files, 4);
    /// assert_eq!(DArray::<i64>::read_npy_stack(&path)?.chunks()?, [vec![3], vec![2, 2, 1]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::to_npy`]; an axis that does not exist.
    #[track_caller]
    pub fn to_npy_stack(&self, folder: impl AsRef<OsStr>, axis: isize, overwrite: bool) -> Result<WrittenArray, Failure> {
        self.to_npy_stack_on(&Client::current()?, folder, axis, overwrite)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::to_npy_stack`].
    #[track_caller]
    pub fn to_npy_stack_on(
        &self,
        executor: &dyn Executor,
        folder: impl AsRef<OsStr>,
        axis: isize,
        overwrite: bool,
    ) -> Result<WrittenArray, Failure> {
        let origin = Origin::here(".to_npy_stack(…)");
        let located = |failure: Failure| failure.origin(Some(&origin));
        let axis = axis_of(axis, self.shape().map_err(located)?.len()).map_err(located)?;
        let kind = kind_of(T::DTYPE, "to_npy_stack").map_err(located)?;
        let whole: Vec<bool> = (0..self.ndim()?).map(|at| at != axis).collect();
        let array = self.rechunk(Chunks::whole_along(&whole, &Along::Keep));
        let info = npy::stack_info(kind, &array.chunks()?, axis);
        let begin = || -> Result<Destination, partita_io::Error> {
            let token = format!("{:016x}", token());
            let mut to = Destination::folder(&folder.as_ref().to_string_lossy(), &token, overwrite, Replaces::Stack)?;
            to.begin()?;
            to.write_last("info", &info)?;
            Ok(to)
        };
        let to = begin().map_err(|error| located(array_failure(error, "to_npy_stack")))?;
        write(array.untyped(), executor, ArrayTarget::Stack(to), &origin)
    }
}

/// Chunks of whole rows: as along the first axis they are, unless blocks would become too large.
fn in_rows(chunks: &[Vec<usize>], shape: &[usize], size: usize) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = shape.iter().map(|len| vec![*len]).collect();
    let Some(first) = chunks.first() else { return rows };
    let row = shape[1..].iter().fold(size as u64, |product, len| product.saturating_mul(*len as u64)).max(1);
    let most = block_bytes(row.saturating_mul(shape[0] as u64));
    let longest = first.iter().max().copied().unwrap_or(0) as u64;
    rows[0] = match longest.saturating_mul(row) > 2 * most {
        false => first.clone(),
        true => {
            Cuts::even(shape[0], usize::try_from(most / row).unwrap_or(usize::MAX)).sizes().map_or_else(Vec::new, |sizes| sizes.to_vec())
        }
    };
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_whole_and_blocks_small() {
        assert_eq!(in_rows(&[vec![2, 1], vec![1, 1]], &[3, 2], 8), [vec![2, 1], vec![2]]);
        assert_eq!(in_rows(&[], &[], 8), Vec::<Vec<usize>>::new());
        assert_eq!(in_rows(&[vec![0], vec![5]], &[0, 5], 8), [vec![0], vec![5]]);
        let large = in_rows(&[vec![8000], vec![10; 200]], &[8000, 2000], 8);
        assert_eq!((large[0].len(), large[0][0], &large[1]), (8, 1048, &vec![2000]));
    }
}
