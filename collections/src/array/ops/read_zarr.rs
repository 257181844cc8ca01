//! `read_zarr`: arrays from Zarr's folders of chunks, versions 2 and 3.

use std::ffi::OsStr;

use partita_graph::{Failure, Origin};
use partita_io::zarr;

use crate::array::files::{ReadArray, Source, array_failure, cuts, of_kind};
use crate::array::meta::Cuts;
use crate::array::{AnyArray, Chunks, DArray, Element};

/// Chunks of fewer bytes are taken together,
const SMALL: usize = 1 << 20;
/// as many as make blocks of about this size.
const WORTHWHILE: usize = 16 << 20;

impl<T: Element> DArray<T> {
    /// A Zarr array as a lazy one; local or `s3:// gs:// az:// http(s):// memory://`. Of a group the array's own path: `"store.zarr/name"`.
    ///
    /// Only the metadata are read here. Chunks are those of the file (of an array in shards, the shards); small ones, under 1 MiB, are
    /// taken together. Versions 2 and 3, both orders of axes and bytes, Blosc, Zstandard, gzip, zlib and shards are understood. Where a
    /// chunk is missing its elements are the fill value. The array must stay as it is while it is read.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.zarr");
    /// DArray::<f32>::ones([4, 6], [2, 3]).to_zarr(&path, ZarrWriteOptions::new())?;
    ///
    /// let x = DArray::<f32>::read_zarr(&path)?;
    /// assert_eq!((x.shape()?, x.sum().compute_scalar()?), (vec![4, 6], 24.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: nothing there, a group, metadata that cannot be understood, elements of another kind than `T` or of
    /// one that arrays cannot hold, codecs that are not known.
    #[doc(alias = "from_zarr")]
    #[doc(alias = "open_zarr")]
    #[track_caller]
    pub fn read_zarr(path: impl AsRef<OsStr>) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_zarr(…)");
        of_kind(open(path.as_ref(), None, &origin)?, "read_zarr", path.as_ref(), &origin)
    }

    /// The same in chunks of your own; see [`Chunks`] for how to say them. Multiples of the file's chunks read each of them once.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.zarr");
    /// # DArray::<i32>::ones([4, 6], [2, 3]).to_zarr(&path, ZarrWriteOptions::new())?;
    /// let x = DArray::<i32>::read_zarr_with(&path, [2, 6])?;
    /// assert_eq!(x.chunks()?, [vec![2, 2], vec![6]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::read_zarr`]; chunks that do not fit the shape.
    #[track_caller]
    pub fn read_zarr_with(path: impl AsRef<OsStr>, chunks: impl Into<Chunks>) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_zarr_with(…)");
        of_kind(open(path.as_ref(), Some(chunks.into()), &origin)?, "read_zarr", path.as_ref(), &origin)
    }
}

impl AnyArray {
    /// A Zarr array, whatever its elements are; see [`DArray::read_zarr`].
    ///
    /// ```
    /// use partita::AnyArray;
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.zarr");
    /// # DArray::<u8>::ones([4], 2).to_zarr(&path, ZarrWriteOptions::new())?;
    /// let any = AnyArray::read_zarr(&path)?;
    /// let sum = match any.dtype()? {
    ///     DType::F64 => any.typed::<f64>()?.sum().compute_scalar()?,
    ///     _ => any.to::<i64>()?.sum().compute_scalar()? as f64,
    /// };
    /// assert_eq!(sum, 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::read_zarr`], but for the kind.
    #[track_caller]
    pub fn read_zarr(path: impl AsRef<OsStr>) -> Result<AnyArray, Failure> {
        open(path.as_ref(), None, &Origin::here("read_zarr(…)"))
    }
}

fn open(path: &OsStr, chunks: Option<Chunks>, origin: &Origin) -> Result<AnyArray, Failure> {
    let failed = |error| array_failure(error, "read_zarr").origin(Some(origin));
    let zarr = zarr::open(&path.to_string_lossy()).map_err(failed)?;
    let (shape, own) = (zarr.shape().to_vec(), zarr.chunks().map_err(failed)?);
    let source = Source::Zarr(zarr);
    let located = |failure: Failure| failure.origin(Some(origin));
    let dtype = source.dtype().map_err(located)?;
    let cuts = cuts(&shape, dtype, chunks, || taken_together(&own, dtype.size())).map_err(located)?;
    ReadArray::open(source, cuts, origin.clone())
}

/// The chunks of a file, or several of them in one where they are small: neighbours along the last axes first.
pub(crate) fn taken_together(chunks: &[Vec<usize>], size: usize) -> Vec<Cuts> {
    let bytes = chunks.iter().fold(size, |product, lengths| product.saturating_mul(lengths.iter().max().copied().unwrap_or(1).max(1)));
    let mut left = if bytes < SMALL { WORTHWHILE / bytes } else { 1 };
    let mut cuts: Vec<Cuts> = Vec::with_capacity(chunks.len());
    for lengths in chunks.iter().rev() {
        let together = left.clamp(1, lengths.len().max(1));
        cuts.push(Cuts::Known(lengths.chunks(together).map(|some| some.iter().sum::<usize>()).collect()));
        left /= together;
    }
    cuts.reverse();
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_chunks_are_taken_together() {
        let taken =
            |chunks: &[Vec<usize>]| taken_together(chunks, 8).iter().map(|cuts| cuts.sizes().expect("known").to_vec()).collect::<Vec<_>>();
        assert_eq!(taken(&[vec![1000; 10], vec![1000; 2]]), [vec![1000; 10], vec![1000; 2]]);
        assert_eq!(taken(&[vec![100; 40], vec![100; 30]]), [vec![600, 600, 600, 600, 600, 600, 400], vec![3000]]);
        assert_eq!(taken(&[vec![10; 3], vec![10, 10, 3]]), [vec![30], vec![23]]);
        assert_eq!(taken(&[vec![0], vec![5]]), [vec![0], vec![5]]);
        assert!(taken(&[]).is_empty());
    }
}
