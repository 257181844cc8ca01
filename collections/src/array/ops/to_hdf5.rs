//! `to_hdf5`: arrays as datasets of an HDF5 file, which appears when it is complete; with the feature `hdf5`.

use std::ffi::OsStr;

use partita_graph::{Executor, Failure, Origin};
use partita_io::hdf5::{Hdf5WriteOptions, Hdf5Writer};

use crate::array::block::block_of;
use crate::array::element::with_dtype;
use crate::array::files::{array_failure, kind_of};
use crate::array::lower::plan_for;
use crate::array::write::{WrittenArray, bytes_of};
use crate::array::{AnyArray, DArray, Element};
use crate::client::{Client, run};

impl<T: Element> DArray<T> {
    /// Writes the array as a dataset of an HDF5 file, which h5py, MATLAB, Julia, R and many others read. Needs the feature `hdf5`.
    ///
    /// The array is computed, and its blocks come to this process one at a time, which writes them: the library of HDF5 lets one thread of
    /// one process write into a file. The file lies on a disk of this machine. It appears when it is complete, and until then the old one can
    /// be read, if there is one; with `append` it keeps the datasets that it has.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.h5");
    /// let x = DArray::<f64>::eye(4, 2);
    /// x.to_hdf5(&path, "/x", Hdf5WriteOptions::new())?;
    /// (&x * 2.0).to_hdf5(&path, "/twice/x", Hdf5WriteOptions::new().append(true).gzip(4))?;
    /// assert_eq!(DArray::<f64>::read_hdf5(&path, "/twice/x")?.sum().compute_scalar()?, 8.0);
    /// assert!(x.to_hdf5(&path, "/x", Hdf5WriteOptions::new()).is_err(), "nothing is overwritten unasked");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Before any task is sent: a step that does not fit, sizes of chunks that are not known, a file or dataset that is there already (unless
    /// the options say so), a place that cannot be written. While it runs: as [`DArray::compute`].
    #[track_caller]
    pub fn to_hdf5(&self, path: impl AsRef<OsStr>, dataset: &str, options: Hdf5WriteOptions) -> Result<WrittenArray, Failure> {
        self.to_hdf5_on(&Client::current()?, path, dataset, options)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::to_hdf5`].
    #[track_caller]
    pub fn to_hdf5_on(
        &self,
        executor: &dyn Executor,
        path: impl AsRef<OsStr>,
        dataset: &str,
        options: Hdf5WriteOptions,
    ) -> Result<WrittenArray, Failure> {
        write(executor, path.as_ref(), &[(dataset, self.untyped())], &options, &Origin::here(".to_hdf5(…)"))
    }
}

/// Writes several arrays into one HDF5 file, each under its name, as [`DArray::to_hdf5`] writes one: all of them appear at once.
///
/// They are computed one after the other. What they have in common is computed for each, unless it is persisted.
///
/// ```
/// use partita::prelude::*;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("x.h5");
/// let (x, y) = (DArray::<f64>::ones([2, 3], 2), DArray::arange(0i16, 5, 1, 2));
/// let written = partita::to_hdf5(&path, &[("/x", &x.to_any()), ("/y", &y.to_any())], Hdf5WriteOptions::new())?;
/// assert_eq!((written.elements, written.files), (11, 1));
/// assert_eq!(DArray::<i16>::read_hdf5(&path, "/y")?.sum().compute_scalar()?, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`DArray::to_hdf5`]; the failure of the first array that has one, and then nothing is written.
#[track_caller]
pub fn to_hdf5(path: impl AsRef<OsStr>, datasets: &[(&str, &AnyArray)], options: Hdf5WriteOptions) -> Result<WrittenArray, Failure> {
    write(&Client::current()?, path.as_ref(), datasets, &options, &Origin::here("to_hdf5(…)"))
}

/// The same on any executor.
///
/// # Errors
/// As [`to_hdf5`].
#[track_caller]
pub fn to_hdf5_on(
    executor: &dyn Executor,
    path: impl AsRef<OsStr>,
    datasets: &[(&str, &AnyArray)],
    options: Hdf5WriteOptions,
) -> Result<WrittenArray, Failure> {
    write(executor, path.as_ref(), datasets, &options, &Origin::here("to_hdf5(…)"))
}

fn write(
    executor: &dyn Executor,
    path: &OsStr,
    datasets: &[(&str, &AnyArray)],
    options: &Hdf5WriteOptions,
    origin: &Origin,
) -> Result<WrittenArray, Failure> {
    let located = |failure: Failure| failure.origin(Some(origin));
    let failed = |error| located(array_failure(error, "to_hdf5"));
    // What cannot be written is known before the first task is sent.
    let mut made = Vec::with_capacity(datasets.len());
    for (name, array) in datasets {
        let kind = kind_of(array.dtype()?, "to_hdf5").map_err(located)?;
        let (shape, chunks) = (array.shape().map_err(located)?, array.chunks().map_err(located)?);
        let block: Vec<usize> = chunks.iter().map(|lengths| lengths.iter().max().copied().unwrap_or(0)).collect();
        made.push((*name, *array, kind, shape, block));
    }
    let mut writer = Hdf5Writer::create(&path.to_string_lossy(), options).map_err(failed)?;
    let mut numbers = Vec::with_capacity(made.len());
    for (name, _, kind, shape, block) in &made {
        numbers.push(writer.dataset(name, *kind, shape, block).map_err(failed)?);
    }
    for ((_, array, ..), number) in made.iter().zip(numbers) {
        let run = run::stored(executor, plan_for(executor, array)?)?;
        for (index, place) in array.meta()?.places()?.iter().enumerate() {
            let chunk = run.result(index)?;
            let block = block_of(&chunk)?.in_order()?;
            let elements = with_dtype!(block.dtype(), T => bytes_of::<T>(&block))?;
            writer.write(number, &place.ranges(), elements).map_err(failed)?;
        }
    }
    let elements = made.iter().map(|(_, _, _, shape, _)| shape.iter().product::<usize>() as u64).sum();
    Ok(WrittenArray { elements, files: 1, bytes: writer.publish().map_err(failed)? })
}
