//! `read_hdf5`: datasets of HDF5 and variables of NetCDF-4 as arrays; with the feature `hdf5`.

use std::ffi::OsStr;
use std::sync::Arc;

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext};
use partita_io::hdf5::{self, Hdf5};
use serde::{Deserialize, Serialize};

use super::read_npy::along_file;
use super::read_zarr::taken_together;
use crate::array::block::Block;
use crate::array::files::{array_failure, cuts, dtype_of, of_kind_called};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, Place};
use crate::array::{AnyArray, Chunks, DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// A dataset of an HDF5 file as a lazy array, named by its path in the file: `"/group/x"`. Needs the feature `hdf5`.
    ///
    /// A NetCDF-4 file is an HDF5 file, and its variables are datasets. Elements come as they are stored: attributes such as `_FillValue`,
    /// `scale_factor` and `add_offset` are not applied, so apply them as steps. Files of NetCDF-3 are of another format.
    ///
    /// Chunks are those of the file; small ones, under 1 MiB, are taken together. Of a dataset without chunks blocks follow the file, as
    /// [`DArray::read_npy`] has it. Complex numbers are those of h5py. The file lies on a disk that all workers see, and must stay as it is
    /// while it is read.
    ///
    /// The library of HDF5 runs one call at a time in a process: reading and unpacking use one thread however many there are, while other
    /// threads compute. On a cluster each worker reads for itself. Where reading is all there is to do, [`DArray::read_zarr`] is faster.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("x.h5");
    /// DArray::<f32>::ones([4, 6], [2, 3]).to_hdf5(&path, "/measured/x", Hdf5WriteOptions::new())?;
    ///
    /// let x = DArray::<f32>::read_hdf5(&path, "/measured/x")?;
    /// assert_eq!((x.shape()?, x.sum().compute_scalar()?), (vec![4, 6], 24.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: no such file, none of HDF5, no dataset of this name (the message names those that are there), elements
    /// of another kind than `T` or of one that arrays cannot hold.
    #[doc(alias = "netcdf")]
    #[track_caller]
    pub fn read_hdf5(path: impl AsRef<OsStr>, dataset: &str) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_hdf5(…)");
        typed(path.as_ref(), dataset, None, &origin)
    }

    /// The same in chunks of your own; see [`Chunks`] for how to say them. Multiples of the file's chunks read each of them once.
    ///
    /// # Errors
    /// As [`DArray::read_hdf5`]; chunks that do not fit the shape.
    #[track_caller]
    pub fn read_hdf5_with(path: impl AsRef<OsStr>, dataset: &str, chunks: impl Into<Chunks>) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_hdf5_with(…)");
        typed(path.as_ref(), dataset, Some(chunks.into()), &origin)
    }
}

impl AnyArray {
    /// A dataset, whatever its elements are; see [`DArray::read_hdf5`].
    ///
    /// # Errors
    /// As [`DArray::read_hdf5`], but for the kind.
    #[track_caller]
    pub fn read_hdf5(path: impl AsRef<OsStr>, dataset: &str) -> Result<AnyArray, Failure> {
        open(path.as_ref(), dataset, None, &Origin::here("read_hdf5(…)"))
    }
}

fn typed<T: Element>(path: &OsStr, dataset: &str, chunks: Option<Chunks>, origin: &Origin) -> Result<DArray<T>, Failure> {
    let array = open(path, dataset, chunks, origin)?;
    let path = path.to_string_lossy();
    of_kind_called(array, &format!("{path}` `{dataset}"), &format!("read_hdf5({path:?}, {dataset:?})"), origin)
}

fn open(path: &OsStr, dataset: &str, chunks: Option<Chunks>, origin: &Origin) -> Result<AnyArray, Failure> {
    let located = |failure: Failure| failure.origin(Some(origin));
    let source = hdf5::open(&path.to_string_lossy(), dataset).map_err(|error| located(array_failure(error, "read_hdf5")))?;
    crate::client::found_on_workers(&[source.name()]).map_err(located)?;
    let dtype = dtype_of(source.kind()).map_err(located)?;
    let own = || match source.chunks() {
        Some(chunks) => taken_together(&chunks, dtype.size()),
        None => along_file(source.shape(), false, dtype.size()),
    };
    let cuts = cuts(source.shape(), dtype, chunks, own).map_err(located)?;
    let array = AnyArray::build(Arc::new(ReadHdf5 { source, meta: Meta { dtype, cuts } }), Vec::new(), origin.clone());
    array.meta()?;
    Ok(array)
}

/// A dataset, as a step.
struct ReadHdf5 {
    source: Hdf5,
    meta: Meta,
}

impl Step for ReadHdf5 {
    fn line(&self) -> String {
        format!("read_hdf5 {} {}", self.source.name(), self.source.dataset())
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(ReadHdf5Block { source: self.source.clone() }, self.line());
        let args = self.meta.places()?.iter().map(Arg::encode).collect();
        Ok(lowering.add(Layer::with_args("read_hdf5", op, args, Vec::new()), node))
    }
}

/// Reads one block. It is an operator of its own, so that workers without the feature are named before anything runs.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReadHdf5Block {
    source: Hdf5,
}

impl Operator for ReadHdf5Block {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        ctx.check_cancelled()?;
        let place: Place = ctx.arg()?.decode()?;
        let bytes = self.source.read(&place.ranges()).map_err(|error| array_failure(error, "read_hdf5"))?;
        Ok(Chunk::new(Block::from_bytes(dtype_of(self.source.kind())?, place.shape, bytes)?))
    }
}

impl NamedOperator for ReadHdf5Block {
    const NAME: &'static str = "read_hdf5_block";
}
