//! A file of HDF5 under construction: datasets are made, filled block by block, and seen when the file is published.
//!
//! It refuses to know tasks. Invariant: until then it lies under a hidden name beside its place, and what is dropped before leaves nothing.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use ::hdf5::{Dataset, File, H5Type};
use bytemuck::Pod;
use ndarray::ArrayViewD;
use num_complex::Complex;

use super::alone::Alone;
use super::{Hdf5WriteOptions, local, slab, with_number};
use crate::damage::guarded;
use crate::error::{Error, ErrorKind, Result};
use crate::kind::Kind;
use crate::resolve::local_facts;
use crate::table::absolute;
use crate::write::{beside, unwritable};

/// Chunks of a file are not larger, unless they are asked for: whoever reads one element reads its chunk.
const LARGEST: usize = 1 << 20;

/// A write of one file.
pub struct Hdf5Writer {
    /// `None` when it is published.
    file: Option<File>,
    datasets: Vec<(Dataset, Kind)>,
    /// Paths of these.
    names: Vec<String>,
    /// As printed.
    name: String,
    place: PathBuf,
    staged: PathBuf,
    options: Hdf5WriteOptions,
    /// Of the file that it takes the place of.
    version: Option<String>,
}

impl Hdf5Writer {
    /// Begins a file, or a copy of the one that is there.
    ///
    /// # Errors
    /// `InvalidOption` for a store, `OutputExists`, `Damaged` for a file to be continued that is none of HDF5, `Unwritable`.
    pub fn create(path: &str, options: &Hdf5WriteOptions) -> Result<Self> {
        let name = absolute(path);
        let place = local(&name)?;
        let staged = beside(&place);
        let version = fs::metadata(&place).ok().map(|meta| local_facts(&meta).version);
        if version.is_some() && !options.overwrite && !options.append {
            return Err(Error::new(ErrorKind::OutputExists { example: name.clone() }, name));
        }
        let continued = version.is_some() && options.append;
        let made = place.parent().map_or(Ok(()), fs::create_dir_all);
        let made = made.and_then(|()| if continued { fs::copy(&place, &staged).map(drop) } else { Ok(()) });
        let mut writer =
            Self { file: None, datasets: Vec::new(), names: Vec::new(), name, place, staged, options: options.clone(), version };
        made.map_err(|error| unwritable(&writer.name, error))?;
        let file = guarded(&writer.name, None, || match continued {
            true => File::open_rw(&writer.staged),
            false => File::create_excl(&writer.staged),
        });
        // A new file that cannot be made is no damaged one.
        writer.file = Some(if continued { file? } else { file.map_err(|error| writer.refused(error))? });
        Ok(writer)
    }

    /// As printed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes a dataset; returns its number. `block` are the longest blocks that will be written, along each axis. Groups on its way are made.
    ///
    /// # Errors
    /// `InvalidOption`, `OutputExists` for a name that is taken, `Unwritable`.
    pub fn dataset(&mut self, name: &str, kind: Kind, shape: &[usize], block: &[usize]) -> Result<usize> {
        self.options.check(shape)?;
        let below = name.trim_matches('/');
        if below.is_empty() {
            let accepted = format!("the name of a dataset, for example \"/x\", not {name:?}");
            return Err(Error::new(ErrorKind::InvalidOption { accepted }, "dataset"));
        }
        let file = self.file.as_ref().expect("it is not published");
        if file.link_exists(below) {
            // What this write has made itself is never replaced.
            if !self.options.overwrite || self.names.iter().any(|name| name == below) || file.dataset(below).is_err() {
                return Err(Error::new(ErrorKind::OutputExists { example: format!("/{below}") }, &self.name));
            }
            guarded(&self.name, None, || file.unlink(below)).map_err(|error| self.refused(error))?;
        }
        let unit = match &self.options.chunks {
            Some(chunks) => chunks.clone(),
            None => pieces(block, kind.size()),
        };
        // Where there is nothing to cut there are no chunks.
        let unit = (!shape.is_empty() && !shape.contains(&0)).then_some(unit);
        let made = guarded(&self.name, None, || match kind {
            // As h5py stores truth values.
            Kind::Bool => make::<bool>(file, below, shape, unit.as_deref(), self.options.gzip),
            kind => with_number!(kind, T => make::<T>(file, below, shape, unit.as_deref(), self.options.gzip)),
        });
        self.datasets.push((made.map_err(|error| self.refused(error))?, kind));
        self.names.push(below.to_owned());
        Ok(self.datasets.len() - 1)
    }

    /// Writes a block of elements in row-major order at its place in a dataset.
    ///
    /// # Errors
    /// `Unwritable`.
    pub fn write(&mut self, dataset: usize, region: &[Range<usize>], elements: &[u8]) -> Result<()> {
        let (dataset, kind) = &self.datasets[dataset];
        if region.iter().any(Range::is_empty) {
            return Ok(());
        }
        let written = guarded(&self.name, None, || match kind {
            Kind::Bool => {
                let elements: Vec<bool> = elements.iter().map(|byte| *byte != 0).collect();
                put(dataset, region, &elements)
            }
            kind => with_number!(*kind, T => put_bytes::<T>(dataset, region, elements)),
        });
        written.map_err(|error| self.refused(error))
    }

    /// The file is there, with all that was written. Returns its size in bytes.
    ///
    /// # Errors
    /// `OutputExists` when another write came first, `Unwritable`.
    pub fn publish(mut self) -> Result<u64> {
        self.datasets.clear();
        let file = self.file.take().expect("it is published once");
        guarded(&self.name, None, || file.close()).map_err(|error| self.refused(error))?;
        let bytes = fs::File::open(&self.staged).and_then(|file| file.sync_all().and_then(|()| file.metadata())).map(|meta| meta.len());
        let bytes = bytes.map_err(|error| unwritable(&self.name, error))?;
        // From looking at what is there until the new file has its place: of two appenders one must see the other.
        let _alone = if self.options.append { Some(Alone::at(&self.place).map_err(|error| unwritable(&self.name, error))?) } else { None };
        let now = fs::metadata(&self.place).ok().map(|meta| local_facts(&meta).version);
        if self.options.append && now != self.version {
            return Err(unwritable(&self.name, "it changed while datasets were written for it: one write at a time into a file"));
        }
        let moved = match self.version.is_some() || self.options.overwrite {
            true => fs::rename(&self.staged, &self.place),
            // Unlike a move it never replaces what came meanwhile.
            false => fs::hard_link(&self.staged, &self.place),
        };
        match moved {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::new(ErrorKind::OutputExists { example: self.name.clone() }, &self.name))
            }
            Err(error) => Err(unwritable(&self.name, error)),
        }
    }

    /// The library's words as those of the storage.
    fn refused(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Damaged { what } => unwritable(&self.name, what),
            _ => error,
        }
    }
}

impl Drop for Hdf5Writer {
    fn drop(&mut self) {
        self.datasets.clear();
        drop(self.file.take());
        // A file that was moved to its place is not there any more.
        let _ = fs::remove_file(&self.staged);
    }
}

fn make<T: H5Type>(file: &File, name: &str, shape: &[usize], unit: Option<&[usize]>, gzip: Option<u8>) -> ::hdf5::Result<Dataset> {
    let mut builder = file.new_dataset::<T>();
    if let Some(unit) = unit {
        builder = builder.chunk(unit.to_vec());
        if let Some(level) = gzip {
            builder = builder.shuffle().deflate(level);
        }
    }
    match shape {
        [] => builder.shape(()).create(name),
        shape => builder.shape(shape.to_vec()).create(name),
    }
}

fn put_bytes<T: H5Type + Pod>(dataset: &Dataset, region: &[Range<usize>], bytes: &[u8]) -> ::hdf5::Result<()> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(elements) => put::<T>(dataset, region, elements),
        // Bytes that do not lie as elements do.
        Err(_) => put::<T>(dataset, region, &bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect::<Vec<T>>()),
    }
}

fn put<T: H5Type>(dataset: &Dataset, region: &[Range<usize>], elements: &[T]) -> ::hdf5::Result<()> {
    let shape: Vec<usize> = region.iter().map(Range::len).collect();
    let view = ArrayViewD::from_shape(shape, elements)?;
    match region {
        [] => dataset.write(view),
        _ => dataset.write_slice(view, slab(region)),
    }
}

/// The lengths of chunks that blocks consist of: of whole ones where that is not far from the wanted size.
fn pieces(block: &[usize], size: usize) -> Vec<usize> {
    let mut pieces: Vec<usize> = block.iter().map(|len| (*len).max(1)).collect();
    let mut parts: Vec<usize> = vec![1; block.len()];
    while pieces.iter().product::<usize>() * size > LARGEST {
        // Of equal ones the first, so that rows stay long.
        let longest = (0..pieces.len()).max_by_key(|axis| (pieces[*axis], Reverse(*axis))).expect("an element is small enough");
        let whole = block[longest];
        let few = parts[longest] + 1;
        let even = (few..few * 2).find(|parts| whole.is_multiple_of(*parts));
        parts[longest] = even.unwrap_or(few).min(whole);
        pieces[longest] = whole.div_ceil(parts[longest]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_pieces_of_at_most_a_megabyte() {
        assert_eq!(pieces(&[100, 100], 8), [100, 100]);
        assert_eq!(pieces(&[1000, 1000], 8), [250, 500]);
        assert_eq!(pieces(&[4096, 4096], 8), [256, 512]);
        assert_eq!(pieces(&[1 << 24], 8), [1 << 17]);
        assert_eq!(pieces(&[0, 3], 8), [1, 3]);
        assert!(pieces(&[], 8).is_empty());
        for block in [[1009, 1013], [1_000_003, 1], [3, 999_983]] {
            let found = pieces(&block, 16);
            assert!(found.iter().product::<usize>() * 16 <= LARGEST && found.iter().all(|len| *len > 0), "{block:?} {found:?}");
        }
    }
}
