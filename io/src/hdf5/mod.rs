//! HDF5: the datasets of a file as arrays, through the library of its makers, which is written in C.
//!
//! It refuses to know tasks, and stores: the library reads and writes files on disks. Invariant: a region comes back as its elements in
//! row-major order and this machine's order of bytes, or the file is named in an error. The library runs one call at a time in a process;
//! its crate holds a lock around each.

mod alone;
mod options;
mod write;
pub use options::Hdf5WriteOptions;
pub use write::Hdf5Writer;

use std::ops::Range;
use std::path::PathBuf;

use ::hdf5::types::{CompoundType, FloatSize, TypeDescriptor};
use ::hdf5::{Dataset, Extents, File, Group, H5Type, Hyperslab, SliceOrIndex};
use bytemuck::Pod;
use ndarray::ArrayD;
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::damage::{damaged, guarded};
use crate::error::{Error, ErrorKind, Result};
use crate::kind::Kind;
use crate::resolve::{self, Found};
use crate::store::{Address, address};
use crate::table::absolute;

/// Names of datasets in a message.
const SHOWN: usize = 50;
/// Groups nest no deeper than this; a link that leads back up would have no end.
const DEEPEST: usize = 32;
/// Groups that are looked into for names: with two links that lead back up there would be more ways than anybody can go.
const MOST_GROUPS: usize = 1_000;

/// Pieces along an axis that are told apart.
const MOST_PIECES: usize = 1 << 20;

/// A dataset in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hdf5 {
    /// A whole path.
    file: String,
    /// Its path in the file.
    dataset: String,
    /// Changes when the file does: work on another content is other work.
    version: String,
    kind: Kind,
    shape: Vec<usize>,
    /// What the file stores together; `None` where all elements lie side by side.
    chunk: Option<Vec<usize>>,
}

/// Reads what a file says of one of its datasets.
///
/// # Errors
/// `NoSuchFile`, `InvalidOption` for a store and for a pattern of several files, `Damaged`, `NoSuchArray`, `Group`, `UnknownType`.
pub fn open(path: &str, dataset: &str) -> Result<Hdf5> {
    let path = absolute(path);
    local(&path)?;
    let found = resolve::find(std::slice::from_ref(&path))?;
    let [Found { name: file, facts }] = <[Found; 1]>::try_from(found).map_err(|found| {
        let accepted = format!("one file, and the pattern matches {}", found.len());
        Error::new(ErrorKind::InvalidOption { accepted }, &path)
    })?;
    let opened = opened(&file)?;
    let found = find(&file, &opened, dataset)?;
    let (kind, shape) = layout_of(&file, &found)?;
    let chunk = found.chunk();
    let dataset = format!("/{}", dataset.trim_matches('/'));
    Ok(Hdf5 { file, dataset, version: facts.version, kind, shape, chunk })
}

/// The path of a file on a disk.
fn local(name: &str) -> Result<PathBuf> {
    match address(name)? {
        Address::Local(path) => Ok(path),
        Address::Remote(_) => {
            let accepted = "a file on a disk: the library of HDF5 knows no stores; copy it first, or use Zarr".to_owned();
            Err(Error::new(ErrorKind::InvalidOption { accepted }, name))
        }
    }
}

fn opened(name: &str) -> Result<File> {
    let path = local(name)?;
    guarded(name, None, || File::open(path))
}

fn find(file: &str, opened: &File, dataset: &str) -> Result<Dataset> {
    let below = dataset.trim_matches('/');
    let group = if below.is_empty() { opened.as_group().ok() } else { opened.group(below).ok() };
    if let Some(group) = group {
        let members = names(&group).into_iter().map(|name| name.trim_start_matches('/').to_owned()).collect();
        return Err(Error::new(ErrorKind::Group { members }, file));
    }
    let missing = |_| {
        let names = opened.as_group().map_or_else(|_| Vec::new(), |root| names(&root));
        Error::new(ErrorKind::NoSuchArray { name: format!("/{below}"), names }, file)
    };
    opened.dataset(below).map_err(missing)
}

/// The datasets in a group, at any depth, each once; what cannot be opened is left out.
fn names(group: &Group) -> Vec<String> {
    names_within(group, 0, &mut { MOST_GROUPS })
}

fn names_within(group: &Group, depth: usize, left: &mut usize) -> Vec<String> {
    let mut found: Vec<String> = group.datasets().into_iter().flatten().map(|dataset| dataset.name()).collect();
    if depth < DEEPEST {
        for below in group.groups().into_iter().flatten() {
            if found.len() < SHOWN && *left > 0 {
                *left -= 1;
                found.extend(names_within(&below, depth + 1, left));
            }
        }
    }
    found.sort();
    found.dedup();
    found.truncate(SHOWN);
    found
}

fn layout_of(file: &str, dataset: &Dataset) -> Result<(Kind, Vec<usize>)> {
    let unknown = |what: String| Error::new(ErrorKind::UnknownType { what }, file);
    let dtype = guarded(file, None, || dataset.dtype())?;
    let descriptor = dtype.to_descriptor().map_err(|error| unknown(error.to_string()))?;
    let kind = kind_of(&descriptor).ok_or_else(|| unknown(descriptor.to_string()))?;
    match guarded(file, None, || dataset.space()?.extents())? {
        Extents::Null => Err(unknown("an empty dataspace".to_owned())),
        extents => Ok((kind, extents.dims())),
    }
}

/// Calls `$body` with `$T` as the type of an element that is no truth value.
macro_rules! with_number {
    ($kind:expr, $T:ident => $body:expr) => {
        match $kind {
            Kind::Bool | Kind::U8 => {
                type $T = u8;
                $body
            }
            Kind::I8 => {
                type $T = i8;
                $body
            }
            Kind::I16 => {
                type $T = i16;
                $body
            }
            Kind::I32 => {
                type $T = i32;
                $body
            }
            Kind::I64 => {
                type $T = i64;
                $body
            }
            Kind::U16 => {
                type $T = u16;
                $body
            }
            Kind::U32 => {
                type $T = u32;
                $body
            }
            Kind::U64 => {
                type $T = u64;
                $body
            }
            Kind::F32 => {
                type $T = f32;
                $body
            }
            Kind::F64 => {
                type $T = f64;
                $body
            }
            Kind::C64 => {
                type $T = Complex<f32>;
                $body
            }
            Kind::C128 => {
                type $T = Complex<f64>;
                $body
            }
        }
    };
}
use with_number;

fn kind_of(descriptor: &TypeDescriptor) -> Option<Kind> {
    match descriptor {
        TypeDescriptor::Boolean => Some(Kind::Bool),
        TypeDescriptor::Compound(compound) => complex(compound),
        // A truth value is not stored as the number with which it is read.
        number => Kind::all().filter(|kind| *kind != Kind::Bool).find(|kind| with_number!(*kind, T => T::type_descriptor()) == *number),
    }
}

/// Complex numbers as h5py stores them: two floats that are called `r` and `i`.
fn complex(compound: &CompoundType) -> Option<Kind> {
    let [re, im] = &compound.fields[..] else { return None };
    match (re.name.as_str(), im.name.as_str(), &re.ty, &im.ty) {
        ("r", "i", TypeDescriptor::Float(FloatSize::U4), TypeDescriptor::Float(FloatSize::U4)) => Some(Kind::C64),
        ("r", "i", TypeDescriptor::Float(FloatSize::U8), TypeDescriptor::Float(FloatSize::U8)) => Some(Kind::C128),
        _ => None,
    }
}

impl Hdf5 {
    /// The file, as printed.
    pub fn name(&self) -> &str {
        &self.file
    }

    /// The dataset's path in the file.
    pub fn dataset(&self) -> &str {
        &self.dataset
    }

    /// The kind of its elements.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The lengths of what the file stores together, along each axis, several together where there are very many; `None` where all elements lie side by side.
    pub fn chunks(&self) -> Option<Vec<Vec<usize>>> {
        let lengths = |(len, unit): (&usize, &usize)| {
            let (len, unit) = (*len, (*unit).max(1));
            // A small file may say that it is long and cut into single elements: several pieces count as one then.
            let unit = unit.saturating_mul(len.div_ceil(unit).div_ceil(MOST_PIECES).max(1));
            match len {
                0 => vec![0],
                len => (0..len).step_by(unit).map(|start| unit.min(len - start)).collect(),
            }
        };
        Some(self.shape.iter().zip(self.chunk.as_ref()?).map(lengths).collect())
    }

    /// The elements of a region, with a range for each axis, which must lie within it.
    ///
    /// # Errors
    /// `Damaged`, also for a dataset that is not what it was; what [`open`] says.
    pub fn read(&self, region: &[Range<usize>]) -> Result<Vec<u8>> {
        if region.iter().any(Range::is_empty) {
            return Ok(Vec::new());
        }
        let file = opened(&self.file)?;
        let dataset = find(&self.file, &file, &self.dataset)?;
        if layout_of(&self.file, &dataset)? != (self.kind, self.shape.clone()) {
            return Err(damaged(&self.file, None, format!("`{}` is of another kind or shape than when it was opened", self.dataset)));
        }
        // Truth values are read as numbers: a byte that is none of them must not become one.
        let bytes = guarded(&self.file, None, || with_number!(self.kind, T => elements::<T>(&dataset, region)))?;
        if self.kind == Kind::Bool && bytes.iter().any(|byte| *byte > 1) {
            return Err(damaged(&self.file, None, "a bool that is neither 0 nor 1"));
        }
        Ok(bytes)
    }
}

fn elements<T: H5Type + Pod>(dataset: &Dataset, region: &[Range<usize>]) -> ::hdf5::Result<Vec<u8>> {
    let found: ArrayD<T> = match region {
        [] => dataset.read_dyn()?,
        _ => dataset.read_slice(slab(region))?,
    };
    let (elements, _) = found.into_raw_vec_and_offset();
    Ok(bytemuck::cast_slice(&elements).to_vec())
}

fn slab(region: &[Range<usize>]) -> Hyperslab {
    region.iter().cloned().map(SliceOrIndex::from).collect::<Vec<_>>().into()
}
