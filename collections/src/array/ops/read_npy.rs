//! `read_npy`, `read_npy_stack`: arrays from files of NumPy.

use std::ffi::OsStr;

use partita_graph::{Failure, Origin};
use partita_io::npy;

use crate::array::chunks::block_bytes;
use crate::array::files::{ReadArray, Source, array_failure, cuts, of_kind};
use crate::array::meta::Cuts;
use crate::array::{AnyArray, Chunks, DArray, Element};

impl<T: Element> DArray<T> {
    /// The array in a `.npy` file as a lazy one; local or `s3:// gs:// az:// http(s):// memory://`.
    ///
    /// Only the header is read here. Blocks follow the file: they are as long as possible along the axes whose elements lie side by side,
    /// and of 16 to 128 MiB; each reads its own bytes and nothing else. Both orders of axes and of bytes are understood.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.npy");
    /// DArray::arange(0.0, 6.0, 1.0, 2).reshape([2, 3]).to_npy(&path, false)?;
    ///
    /// let x = DArray::<f64>::read_npy(&path)?;
    /// assert_eq!((x.shape()?, x.sum().compute_scalar()?), (vec![2, 3], 15.0));
    ///
    /// // The kind must be the file's own.
    /// let error = DArray::<f32>::read_npy(&path).unwrap_err();
    /// assert!(error.to_string().contains("cast::<f32>()"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: no such file, a file that is cut off or none of NumPy, elements of another kind than `T` or of one
    /// that arrays cannot hold.
    #[doc(alias = "load")]
    #[doc(alias = "open_memmap")]
    #[track_caller]
    pub fn read_npy(path: impl AsRef<OsStr>) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_npy(…)");
        of_kind(open(path.as_ref(), None, &origin)?, "read_npy", path.as_ref(), &origin)
    }

    /// The same in chunks of your own; see [`Chunks`] for how to say them.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.npy");
    /// # DArray::<i32>::ones([4, 6], 2).to_npy(&path, false)?;
    /// let x = DArray::<i32>::read_npy_with(&path, [-1, 4])?;
    /// assert_eq!(x.chunks()?, [vec![4], vec![4, 2]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::read_npy`]; chunks that do not fit the shape.
    #[track_caller]
    pub fn read_npy_with(path: impl AsRef<OsStr>, chunks: impl Into<Chunks>) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_npy_with(…)");
        of_kind(open(path.as_ref(), Some(chunks.into()), &origin)?, "read_npy", path.as_ref(), &origin)
    }

    /// A folder of files `0.npy`, `1.npy`, … as one array, each a chunk; as Dask's and our `to_npy_stack` write them.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("stack");
    /// DArray::arange(0, 10, 1, 4).to_npy_stack(&path, 0, false)?;
    /// let x = DArray::<i32>::read_npy_stack(&path)?;
    /// assert_eq!(x.chunks()?, [vec![4, 4, 2]]);
    /// assert_eq!(x.sum().compute_scalar()?, 45);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: a folder without such files or with a gap between them, files that do not fit together, and as
    /// [`DArray::read_npy`].
    #[doc(alias = "from_npy_stack")]
    #[track_caller]
    pub fn read_npy_stack(folder: impl AsRef<OsStr>) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_npy_stack(…)");
        of_kind(open_stack(folder.as_ref(), &origin)?, "read_npy_stack", folder.as_ref(), &origin)
    }
}

impl AnyArray {
    /// The array in a `.npy` file, whatever its elements are; see [`DArray::read_npy`].
    ///
    /// ```
    /// use partita::AnyArray;
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.npy");
    /// # DArray::arange(0i16, 5, 1, 2).to_npy(&path, false)?;
    /// let any = AnyArray::read_npy(&path)?;
    /// assert_eq!(any.dtype()?, DType::I16);
    /// assert_eq!(any.to::<f64>()?.mean().compute_scalar()?, 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::read_npy`], but for the kind.
    #[track_caller]
    pub fn read_npy(path: impl AsRef<OsStr>) -> Result<AnyArray, Failure> {
        open(path.as_ref(), None, &Origin::here("read_npy(…)"))
    }

    /// A folder of `.npy` files, whatever their elements are; see [`DArray::read_npy_stack`].
    ///
    /// # Errors
    /// As [`DArray::read_npy_stack`], but for the kind.
    #[track_caller]
    pub fn read_npy_stack(folder: impl AsRef<OsStr>) -> Result<AnyArray, Failure> {
        open_stack(folder.as_ref(), &Origin::here("read_npy_stack(…)"))
    }
}

fn open(path: &OsStr, chunks: Option<Chunks>, origin: &Origin) -> Result<AnyArray, Failure> {
    let located = |failure: Failure| failure.origin(Some(origin));
    let file = npy::open(&path.to_string_lossy()).map_err(|error| located(array_failure(error, "read_npy")))?;
    let (shape, fortran) = (file.shape().to_vec(), file.is_fortran());
    let source = Source::Npy(file);
    let dtype = source.dtype().map_err(located)?;
    let cuts = cuts(&shape, dtype, chunks, || along_file(&shape, fortran, dtype.size())).map_err(located)?;
    ReadArray::open(source, cuts, origin.clone())
}

fn open_stack(folder: &OsStr, origin: &Origin) -> Result<AnyArray, Failure> {
    let stack = npy::open_stack(&folder.to_string_lossy());
    let stack = stack.map_err(|error| array_failure(error, "read_npy_stack").origin(Some(origin)))?;
    let along: Vec<usize> = stack.files.iter().map(|file| file.shape()[stack.axis]).collect();
    let shape = stack.files[0].shape().iter().enumerate();
    let cuts = shape.map(|(axis, len)| if axis == stack.axis { Cuts::Known(along.as_slice().into()) } else { Cuts::whole(*len) }).collect();
    ReadArray::open(Source::Stack(stack.files), cuts, origin.clone())
}

/// Blocks of consecutive bytes, as far as they are large enough.
pub(crate) fn along_file(shape: &[usize], fortran: bool, size: usize) -> Vec<Cuts> {
    let total = shape.iter().fold(size as u64, |product, len| product.saturating_mul(*len as u64));
    let mut left = usize::try_from(block_bytes(total)).unwrap_or(usize::MAX) / size;
    let mut cuts: Vec<Cuts> = shape.iter().map(|len| Cuts::whole(*len)).collect();
    let fastest_first: Vec<usize> = if fortran { (0..shape.len()).collect() } else { (0..shape.len()).rev().collect() };
    for axis in fastest_first {
        let len = shape[axis].max(1);
        let count = len.div_ceil(left.max(1));
        cuts[axis] = Cuts::even(shape[axis], len.div_ceil(count));
        left /= len;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_the_file() {
        let chunks = |shape: &[usize], fortran: bool| along_file(shape, fortran, 8).iter().map(Cuts::show).collect::<Vec<_>>().join(" ");
        assert_eq!(chunks(&[100, 100], false), "100 100");
        assert_eq!(chunks(&[8000, 2000], false), "1000 2000");
        assert_eq!(chunks(&[8000, 2000], true), "8000 250");
        assert_eq!(chunks(&[3, 2, 4 << 20], false), "1 1 2097152");
        assert_eq!(chunks(&[], false), "");
        assert_eq!(chunks(&[0, 5], false), "0 5");
    }
}
