//! `.npy` files, NumPy's own: a header and the elements of one array. Only the bytes of the wanted region are read.
//!
//! It refuses to know tasks. Invariant: a region comes back as its elements in the file's order of axes and this machine's order of bytes,
//! or the file is named in an error.

mod stack;
mod write;
pub use stack::{Stack, open_stack};
pub use write::{header, stack_info};

use std::io::Cursor;
use std::ops::Range;

use npyz::{DType, NpyHeader, Order};
use serde::{Deserialize, Serialize};

use crate::compress::Compression;
use crate::damage::{damaged, guarded};
use crate::error::{Error, ErrorKind, Result};
use crate::kind::Kind;
use crate::ranges::fetch;
use crate::resolve::{self, Found};
use crate::source::Source;
use crate::table::absolute;

/// Enough for most headers.
const HEAD: u64 = 1 << 10;
/// A longer header is none: names of many fields, or damage.
const LONGEST_HEADER: u64 = 1 << 20;
/// Pieces that lie within so many bytes are fetched together.
const BATCH: u64 = 32 << 20;

/// An array in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Npy {
    /// A whole path, or a URL.
    name: String,
    size: u64,
    /// Changes when the file does: work on another content is other work.
    version: String,
    /// Where the elements begin.
    start: u64,
    kind: Kind,
    big: bool,
    shape: Vec<usize>,
    fortran: bool,
}

/// Reads the header of a file.
///
/// # Errors
/// `NoSuchFile`, `InvalidOption` for a pattern of several files, `Damaged`, `UnknownType`, what the storage gives.
pub fn open(name: &str) -> Result<Npy> {
    let found = resolve::find(&[absolute(name)])?;
    match <[Found; 1]>::try_from(found) {
        Ok([found]) => open_found(found),
        Err(found) => {
            let accepted = format!("one file, and the pattern matches {}; many files are a stack: read_npy_stack", found.len());
            Err(Error::new(ErrorKind::InvalidOption { accepted }, name))
        }
    }
}

fn open_found(found: Found) -> Result<Npy> {
    let Found { name, facts } = found;
    let mut head = read_head(&name, facts.size, HEAD)?;
    let needed = header_end(&name, &head)?;
    if needed > head.len() as u64 {
        head = read_head(&name, facts.size, needed)?;
    }
    let mut cursor = Cursor::new(&head[..]);
    let header = guarded(&name, None, || NpyHeader::from_reader(&mut cursor))?;
    let start = cursor.position();
    let dtype = header.dtype().descr();
    let dtype = dtype.trim_matches('\'');
    let known = if matches!(header.dtype(), DType::Plain(_)) { Kind::of_numpy(dtype) } else { None };
    let (kind, big) = known.ok_or_else(|| Kind::unknown(&name, dtype))?;
    let shape: Option<Vec<usize>> = header.shape().iter().map(|len| usize::try_from(*len).ok()).collect();
    let bytes = shape.as_ref().and_then(|shape| shape.iter().try_fold(kind.size(), |product, len| product.checked_mul(*len)));
    let end = bytes.and_then(|bytes| start.checked_add(bytes as u64));
    match (shape, end) {
        (Some(shape), Some(end)) if end <= facts.size => {
            let fortran = header.order() == Order::Fortran && shape.len() > 1;
            Ok(Npy { name, size: facts.size, version: facts.version, start, kind, big, shape, fortran })
        }
        _ => {
            let what = format!("its header announces an array of shape {:?}, and the file has {} bytes", header.shape(), facts.size);
            Err(damaged(&name, None, what))
        }
    }
}

fn read_head(name: &str, size: u64, bytes: u64) -> Result<Vec<u8>> {
    let range = 0..bytes.min(size);
    Source::open(name, size, Compression::None, range.clone())?.copy(range)
}

/// Where the header says that it ends.
fn header_end(name: &str, head: &[u8]) -> Result<u64> {
    let end = match head {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => 10 + u64::from(u16::from_le_bytes([*a, *b])),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => 12 + u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => return Err(damaged(name, None, "it does not begin as files of NumPy do")),
    };
    match end <= LONGEST_HEADER {
        true => Ok(end),
        false => Err(damaged(name, Some(8), format!("its header would have {end} bytes"))),
    }
}

impl Npy {
    /// As printed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of its elements.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Elements along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether the first axis is the one whose neighbours lie side by side in the file, instead of the last.
    pub fn is_fortran(&self) -> bool {
        self.fortran
    }

    /// The elements of a region, with a range for each axis. They are in row-major order; of a file in Fortran's order, in row-major order
    /// of the reversed axes. Each range must lie within its axis.
    ///
    /// # Errors
    /// `Damaged`, what the storage gives.
    pub fn read(&self, region: &[Range<usize>]) -> Result<Vec<u8>> {
        let (mut shape, mut region) = (self.shape.clone(), region.to_vec());
        if self.fortran {
            shape.reverse();
            region.reverse();
        }
        let pieces = Pieces::of(&shape, &region, self.kind.size(), self.start);
        let mut bytes = self.fetch(pieces)?;
        if self.big == cfg!(target_endian = "little") {
            self.kind.swap(&mut bytes);
        }
        if self.kind == Kind::Bool && bytes.iter().any(|byte| *byte > 1) {
            return Err(damaged(&self.name, None, "a bool that is neither 0 nor 1"));
        }
        Ok(bytes)
    }

    fn fetch(&self, mut pieces: Pieces) -> Result<Vec<u8>> {
        let length = pieces.length * pieces.number() as u64;
        if length == 0 {
            return Ok(Vec::new());
        }
        if pieces.number() == 1 {
            let range = pieces.next().expect("there is one");
            return Source::open(&self.name, self.size, Compression::None, range.clone())?.copy(range);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let mut batch: Vec<Range<u64>> = Vec::new();
        loop {
            let next = pieces.next();
            let full = match (&next, batch.first()) {
                (Some(next), Some(first)) => next.end - first.start > BATCH,
                _ => next.is_none(),
            };
            if full && !batch.is_empty() {
                fetch(&self.name, self.size, &batch)?.iter().for_each(|piece| bytes.extend_from_slice(piece));
                batch.clear();
            }
            let Some(next) = next else { return Ok(bytes) };
            batch.push(next);
        }
    }
}

/// The bytes of a region of a file in row-major order: pieces of one length, in ascending order.
struct Pieces {
    /// Bytes of each.
    length: u64,
    /// The ranges of the axes along which there are several.
    outer: Vec<Range<usize>>,
    /// How far neighbours along these axes lie apart, in bytes.
    strides: Vec<u64>,
    /// Where the first begins when the outer axes are at 0.
    start: u64,
    position: Option<Vec<usize>>,
}

impl Pieces {
    fn of(shape: &[usize], region: &[Range<usize>], size: usize, start: u64) -> Self {
        // Axes behind the last one that is cut lie together.
        let cut = (0..shape.len()).rev().find(|axis| region[*axis] != (0..shape[*axis])).unwrap_or(0);
        let mut strides = vec![size as u64; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis] as u64;
        }
        let along = region.get(cut).map_or(1, |range| range.len() as u64);
        let step = strides.get(cut).copied().unwrap_or(size as u64);
        let outer: Vec<Range<usize>> = region.iter().take(cut).cloned().collect();
        let position = outer.iter().all(|range| !range.is_empty()).then(|| outer.iter().map(|range| range.start).collect());
        let first = region.get(cut).map_or(0, |range| range.start as u64 * step);
        strides.truncate(cut);
        Self { length: along * step, outer, strides, start: start + first, position }
    }

    /// How many there are in all.
    fn number(&self) -> usize {
        self.outer.iter().map(Range::len).product()
    }
}

impl Iterator for Pieces {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let position = self.position.as_mut()?;
        let start = self.start + position.iter().zip(&self.strides).map(|(at, stride)| *at as u64 * stride).sum::<u64>();
        let advanced = position.iter_mut().zip(&self.outer).rev().any(|(at, range)| {
            *at += 1;
            let within = *at < range.end;
            if !within {
                *at = range.start;
            }
            within
        });
        if !advanced {
            self.position = None;
        }
        Some(start..start + self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(shape: &[usize], region: &[Range<usize>]) -> Vec<(u64, u64)> {
        Pieces::of(shape, region, 2, 100).map(|piece| (piece.start, piece.end)).collect()
    }

    #[test]
    fn a_region_is_as_few_pieces_as_can_be() {
        let line = 2..4;
        assert_eq!(pieces(&[3, 4], &[0..3, 0..4]), [(100, 124)]);
        assert_eq!(pieces(&[3, 4], &[1..3, 0..4]), [(108, 124)]);
        assert_eq!(pieces(&[3, 4], &[1..3, 1..3]), [(110, 114), (118, 122)]);
        assert_eq!(pieces(&[2, 3, 4], &[0..2, 1..2, 0..4]), [(108, 116), (132, 140)]);
        assert_eq!(pieces(&[2, 2, 2], &[0..2, 0..2, 1..2]), [(102, 104), (106, 108), (110, 112), (114, 116)]);
        assert_eq!(pieces(&[], &[]), [(100, 102)]);
        assert_eq!(pieces(&[5], std::slice::from_ref(&line)), [(104, 108)]);
        assert!(pieces(&[3, 4], &[1..1, 1..3]).is_empty());
        assert!(pieces(&[3, 0], &[0..3, 0..0]).iter().all(|(start, end)| start == end));
    }
}
