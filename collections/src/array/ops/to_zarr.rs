//! `to_zarr`: an array as a Zarr array, or into a region of one, which appears all at once.

use std::ffi::OsStr;
use std::ops::Range;

use ndarray::SliceInfoElem;
use partita_graph::{Code, Executor, Failure, Origin};
use partita_io::zarr::{self, ZarrTarget, ZarrWriteOptions};

use crate::array::files::{array_failure, kind_of};
use crate::array::meta::{Cuts, bounds, tuple};
use crate::array::write::{ArrayTarget, WrittenArray, write};
use crate::array::{DArray, Element};
use crate::client::Client;
use crate::frame::ops::token;

impl<T: Element> DArray<T> {
    /// Writes the array as a Zarr array into a folder; local or in a store. Version 3 with Zstandard, unless the options say otherwise.
    ///
    /// The chunks of the file are those of the array; where these are not all of one length, or where the options say others, the array
    /// is cut anew so that each block is whole chunks. Tasks write under hidden names, also when they run twice or fail; when all are
    /// done, one step makes the chunks visible and then the metadata. Until then what was there before can be read; a write that is cut
    /// off leaves it as it was.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ZarrCodec;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.zarr");
    /// let x = DArray::<f64>::eye(6, 3);
    /// let written = x.to_zarr(&path, ZarrWriteOptions::new())?;
    /// assert_eq!((written.elements, written.files), (36, 5));
    ///
    /// // Nothing is overwritten unasked.
    /// let options = ZarrWriteOptions::new().version(2).compression(ZarrCodec::Gzip(5)).chunks([2, 2]);
    /// assert!(x.to_zarr(&path, options.clone()).is_err());
    /// x.to_zarr(&path, options.overwrite(true))?;
    /// assert_eq!(DArray::<f64>::read_zarr(&path)?.compute()?, x.compute()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Before any task is sent: a step that does not fit, sizes of chunks that are not known, an option that cannot be used, an array that
    /// is there already (unless `overwrite`), a place that cannot be written. While it runs: as [`DArray::compute`]; parts that the
    /// publishing worker does not see, because workers have no storage in common.
    #[track_caller]
    pub fn to_zarr(&self, path: impl AsRef<OsStr>, options: ZarrWriteOptions) -> Result<WrittenArray, Failure> {
        self.to_zarr_on(&Client::current()?, path, options)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::to_zarr`].
    #[track_caller]
    pub fn to_zarr_on(&self, executor: &dyn Executor, path: impl AsRef<OsStr>, options: ZarrWriteOptions) -> Result<WrittenArray, Failure> {
        let origin = Origin::here(".to_zarr(…)");
        let located = |failure: Failure| failure.origin(Some(&origin));
        let (shape, chunks) = (self.shape().map_err(located)?, self.chunks().map_err(located)?);
        let kind = kind_of(T::DTYPE, "to_zarr").map_err(located)?;
        let longest: Vec<usize> = chunks.iter().map(|lengths| lengths.iter().max().copied().unwrap_or(1).max(1)).collect();
        let target = ZarrTarget::create(&path.as_ref().to_string_lossy(), &format!("{:016x}", token()), kind, &shape, &longest, &options);
        let target = target.map_err(|error| located(array_failure(error, "to_zarr")))?;
        let array = self.rechunk(aligned(&chunks, target.unit()));
        write(array.untyped(), executor, ArrayTarget::Zarr(target), &origin)
    }

    /// Writes the array into a region of a Zarr array that is there, said with ndarray's `s![]` in ranges without steps. The region must
    /// have the array's shape and consist of whole chunks of the file (at its ends, what is left of them); the rest stays as it is. All
    /// at once, as [`DArray::to_zarr`] does. Several regions that have no chunk in common may be written at the same time.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::s;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.zarr");
    /// DArray::<i32>::zeros([4, 4], 2).to_zarr(&path, ZarrWriteOptions::new())?;
    /// DArray::<i32>::ones([2, 4], 2).to_zarr_region(&path, s![2.., ..])?;
    /// let x = DArray::<i32>::read_zarr(&path)?;
    /// assert_eq!(x.sum_axis(1).compute()?.into_iter().collect::<Vec<_>>(), [0, 0, 4, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Before any task is sent: no such array, elements of another kind, a region of another shape, one that cuts chunks; and as
    /// [`DArray::to_zarr`].
    #[track_caller]
    pub fn to_zarr_region(&self, path: impl AsRef<OsStr>, region: impl AsRef<[SliceInfoElem]>) -> Result<WrittenArray, Failure> {
        self.to_zarr_region_on(&Client::current()?, path, region)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::to_zarr_region`].
    #[track_caller]
    pub fn to_zarr_region_on(
        &self,
        executor: &dyn Executor,
        path: impl AsRef<OsStr>,
        region: impl AsRef<[SliceInfoElem]>,
    ) -> Result<WrittenArray, Failure> {
        let origin = Origin::here(".to_zarr_region(…)");
        let located = |failure: Failure| failure.origin(Some(&origin));
        let failed = |error| located(array_failure(error, "to_zarr_region"));
        let (shape, chunks) = (self.shape().map_err(located)?, self.chunks().map_err(located)?);
        let kind = kind_of(T::DTYPE, "to_zarr_region").map_err(located)?;
        let path = path.as_ref().to_string_lossy();
        let there = zarr::open(&path).map_err(failed)?;
        let region = ranges(region.as_ref(), there.shape()).map_err(located)?;
        let lengths: Vec<usize> = region.iter().map(Range::len).collect();
        if lengths != shape {
            let what = format!("an array of shape {} cannot be written into a region of shape {}", tuple(&shape), tuple(&lengths));
            return Err(located(Failure::new(Code::ShapeMismatch, what)));
        }
        let target = ZarrTarget::region(&path, &format!("{:016x}", token()), kind, &region).map_err(failed)?;
        let array = self.rechunk(aligned(&chunks, target.unit()));
        write(array.untyped(), executor, ArrayTarget::Zarr(target), &origin)
    }
}

/// The chunks as they are along axes where they end at whole units; else others of about their length that do.
fn aligned(chunks: &[Vec<usize>], unit: &[usize]) -> Vec<Vec<usize>> {
    let along = |(lengths, unit): (&Vec<usize>, &usize)| {
        let ends = bounds(lengths);
        let len = ends.last().copied().unwrap_or(0);
        if ends.iter().all(|end| end.is_multiple_of(*unit) || *end == len) {
            return lengths.clone();
        }
        let longest = lengths.iter().max().copied().unwrap_or(0);
        let size = (longest / unit * unit).max(*unit);
        Cuts::even(len, size).sizes().map_or_else(Vec::new, |sizes| sizes.to_vec())
    };
    chunks.iter().zip(unit).map(along).collect()
}

/// A region in plain numbers.
fn ranges(region: &[SliceInfoElem], shape: &[usize]) -> Result<Vec<Range<usize>>, Failure> {
    let invalid = |accepted: &str| Failure::new(Code::InvalidOption, "the region cannot be written").detail("accepted", accepted);
    if region.len() > shape.len() {
        return Err(invalid("no more ranges than the array has axes"));
    }
    let mut ranges: Vec<Range<usize>> = shape.iter().map(|len| 0..*len).collect();
    for (axis, part) in region.iter().enumerate() {
        let SliceInfoElem::Slice { start, end, step: 1 } = part else {
            return Err(invalid("ranges without steps, like s![2..4, ..]"));
        };
        let len = shape[axis] as isize;
        let place = |at: isize| (if at < 0 { at + len } else { at }).clamp(0, len) as usize;
        let (start, end) = (place(*start), place(end.unwrap_or(len)));
        ranges[axis] = start..end.max(start);
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;

    #[test]
    fn blocks_are_whole_chunks() {
        assert_eq!(aligned(&[vec![4, 4, 2]], &[2]), [vec![4, 4, 2]]);
        assert_eq!(aligned(&[vec![4, 2, 4]], &[4]), [vec![4, 4, 2]]);
        assert_eq!(aligned(&[vec![5, 5]], &[2]), [vec![4, 4, 2]]);
        assert_eq!(aligned(&[vec![1; 7]], &[3]), [vec![3, 3, 1]]);
        assert_eq!(aligned(&[vec![0]], &[1]), [vec![0]]);
        assert!(aligned(&[], &[]).is_empty());
    }

    #[test]
    fn regions_are_ranges() {
        let check = |region: &[SliceInfoElem]| ranges(region, &[10, 4]).ok();
        assert_eq!(check(s![2..4, ..].as_ref()), Some(vec![2..4, 0..4]));
        assert_eq!(check(s![-3..].as_ref()), Some(vec![7..10, 0..4]));
        assert_eq!(check(s![8..99, 3..3].as_ref()), Some(vec![8..10, 3..3]));
        assert_eq!((check(s![0].as_ref()), check(s![..;2].as_ref()), check(s![.., .., ..].as_ref())), (None, None, None));
    }
}
