//! Zarr arrays, versions 2 and 3: metadata in JSON and a file for each chunk. A region reads the chunks that it lies in; of a chunk that
//! is a shard, the parts that it lies in.
//!
//! It refuses to know tasks. Invariant: a region comes back as its elements in row-major order and this machine's order of bytes, with the
//! fill value where there is no chunk, or the file is named in an error.

mod keys;
mod metadata;
mod options;
mod write;
pub use options::{ZarrCodec, ZarrWriteOptions};
pub use write::ZarrTarget;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zarrs::array::{Array, ArrayBytes, ArrayMetadata, ArraySubset, CodecOptions};

use self::keys::Keys;
use crate::damage::{damaged, guarded};
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::kind::Kind;
use crate::manifest::Manifest;
use crate::resolve::local_facts;
use crate::store::Address;
use crate::table::absolute;

/// An array in a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zarr {
    /// A whole path, or a URL.
    folder: String,
    /// The array's own metadata, as it stands in its file.
    metadata: String,
    /// Changes when the metadata is written again: work on another content is other work.
    version: String,
    /// Where files lie that a write was publishing when the array was opened.
    moved: BTreeMap<String, Option<String>>,
    kind: Kind,
    shape: Vec<usize>,
}

/// Reads the metadata of the array in a folder, which may lie anywhere in a hierarchy.
///
/// # Errors
/// `NoSuchFile`, `Group` for a folder that holds arrays and is none, `Damaged`, `UnknownType`, what the storage gives.
pub fn open(path: &str) -> Result<Zarr> {
    let folder = Folder::of(&absolute(path))?;
    let moved = match Manifest::read(&folder)? {
        None => BTreeMap::new(),
        Some(manifest) => {
            let gone = manifest.replaces.into_iter().map(|below| (below, None));
            gone.chain(manifest.files.into_iter().map(|part| (part.path, Some(part.staged)))).collect()
        }
    };
    let mut found = metadata::find(&folder, &moved)?;
    let version = version_of(&folder, moved.get(found.name).cloned().flatten().as_deref().unwrap_or(found.name));
    let (kind, shape) = metadata::kind_and_shape(&folder.name_of(found.name), &found.json)?;
    metadata::complete(kind, &mut found.json);
    let zarr = Zarr { folder: folder.name, metadata: found.json.to_string(), version, moved, kind, shape };
    // What the codecs do not know is said now.
    zarr.array()?;
    Ok(zarr)
}

/// The version of a file, or nothing where it was moved meanwhile.
fn version_of(folder: &Folder, below: &str) -> String {
    match &folder.address {
        Address::Local(path) => std::fs::metadata(path.join(below)).map_or_else(|_| String::new(), |meta| local_facts(&meta).version),
        Address::Remote(remote) => Folder::object(remote, below).facts().map_or_else(|_| String::new(), |facts| facts.version),
    }
}

impl Zarr {
    /// As printed.
    pub fn name(&self) -> &str {
        &self.folder
    }

    /// The kind of its elements.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The lengths of its chunks along each axis; of an array in shards, those of the shards.
    ///
    /// # Errors
    /// `Damaged` for metadata that contradict themselves.
    pub fn chunks(&self) -> Result<Vec<Vec<usize>>> {
        if self.shape.contains(&0) {
            return Ok(self.shape.iter().map(|len| vec![*len]).collect());
        }
        let array = self.array()?;
        let mut chunks = Vec::with_capacity(self.shape.len());
        for (axis, len) in self.shape.iter().enumerate() {
            let mut position = vec![0; self.shape.len()];
            let (mut lengths, mut left) = (Vec::new(), *len);
            while left > 0 {
                let shape = guarded(&self.folder, None, || array.chunk_shape(&position))?;
                let length = usize::try_from(shape[axis].get()).unwrap_or(usize::MAX).min(left);
                lengths.push(length);
                left -= length;
                position[axis] += 1;
            }
            chunks.push(lengths);
        }
        Ok(chunks)
    }

    /// The elements of a region, with a range for each axis, which must lie within it.
    ///
    /// # Errors
    /// `Damaged`, what the storage gives.
    pub fn read(&self, region: &[Range<usize>]) -> Result<Vec<u8>> {
        if region.iter().any(Range::is_empty) {
            return Ok(Vec::new());
        }
        let array = self.array()?;
        let ranges: Vec<Range<u64>> = region.iter().map(|range| range.start as u64..range.end as u64).collect();
        let subset = ArraySubset::new_with_ranges(&ranges);
        let decoded = guarded(&self.folder, None, || {
            let bytes: ArrayBytes<'static> = array.retrieve_array_subset_opt(&subset, &one_thread()).map_err(|error| error.to_string())?;
            bytes.into_fixed().map_err(|error| error.to_string())
        });
        let bytes = decoded.map_err(|error| array.storage().trouble().unwrap_or(error))?.into_owned();
        let expected = region.iter().map(Range::len).product::<usize>() * self.kind.size();
        if bytes.len() != expected {
            return Err(damaged(&self.folder, None, format!("{} bytes came where {expected} were expected", bytes.len())));
        }
        if self.kind == Kind::Bool && bytes.iter().any(|byte| *byte > 1) {
            return Err(damaged(&self.folder, None, "a bool that is neither 0 nor 1"));
        }
        Ok(bytes)
    }

    fn array(&self) -> Result<Array<Keys>> {
        let keys = Keys::new(Folder::of(&self.folder)?, self.moved.clone());
        array_of(&self.folder, &self.metadata, keys)
    }
}

/// The array that metadata describe.
fn array_of(name: &str, metadata: &str, keys: Keys) -> Result<Array<Keys>> {
    guarded(name, None, || -> std::result::Result<Array<Keys>, String> {
        let metadata: ArrayMetadata = serde_json::from_str(metadata).map_err(|error| error.to_string())?;
        Array::new_with_metadata(Arc::new(keys), "/", metadata).map_err(|error| error.to_string())
    })
}

/// Tasks run side by side already.
fn one_thread() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}

/// The failure for metadata that are not as they should be.
fn malformed(name: &str, what: impl std::fmt::Display) -> Error {
    damaged(name, None, format!("its metadata: {what}"))
}
