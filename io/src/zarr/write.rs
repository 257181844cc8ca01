//! A write of a Zarr array, or into a part of one that is there: what all tasks of it share, and what one of them does.
//!
//! It refuses to publish by itself. Invariant: a task writes whole chunks only, so that no two tasks write one; the metadata become
//! visible after all chunks.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use zarrs::array::{Array, ArrayBytes, ArrayToBytesCodecTraits};

use super::keys::Keys;
use super::{Zarr, ZarrWriteOptions, array_of, metadata, one_thread};
use crate::damage::guarded;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::Folder;
use crate::kind::Kind;
use crate::manifest::Part;
use crate::write::{Destination, Published, Replaces};

/// A write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZarrTarget {
    to: Destination,
    metadata: String,
    kind: Kind,
    /// What stands in one file: elements along each axis.
    unit: Vec<usize>,
    /// Where the first element that is written stands in the array.
    origin: Vec<usize>,
}

impl ZarrTarget {
    /// A write of a new array. `unit` is what stands in one file unless the options say it. `token` is a name that no other write has.
    /// Looks at what is there; a write that was cut off while it was published is brought to its end first.
    ///
    /// # Errors
    /// `InvalidOption` (its file is the option's name), `OutputExists`, `Unwritable`, what the storage gives.
    pub fn create(path: &str, token: &str, kind: Kind, shape: &[usize], unit: &[usize], options: &ZarrWriteOptions) -> Result<Self> {
        options.check(shape.len())?;
        if !metadata::holds(kind, options.fill_value) {
            let accepted = format!("a number that an element of {} can be, not {}", kind.name(), options.fill_value);
            return Err(Error::new(ErrorKind::InvalidOption { accepted }, "fill_value"));
        }
        let unit = options.unit().unwrap_or(unit).to_vec();
        let (name, json) = metadata::new(kind, shape, &unit, options);
        let mut to = Destination::folder(path, token, options.overwrite, Replaces::Zarr)?;
        let target = Self { to: to.clone(), metadata: json.to_string(), kind, unit, origin: vec![0; shape.len()] };
        target.array()?;
        to.begin()?;
        let content = serde_json::to_vec_pretty(&json).expect("metadata are plain data");
        to.write_last(name, &content)?;
        Ok(Self { to, ..target })
    }

    /// A write into a region of an array that is there. Chunks outside of it stay as they are.
    ///
    /// # Errors
    /// As [`super::open`]; `InvalidOption` for a region (then its file is `region`) that does not lie in the array or does not consist of
    /// whole chunks, `OtherKind` for elements of another kind.
    pub fn region(path: &str, token: &str, kind: Kind, region: &[Range<usize>]) -> Result<Self> {
        let zarr = super::open(path)?;
        if zarr.kind != kind {
            return Err(Error::new(ErrorKind::OtherKind { found: zarr.kind.name().to_owned() }, &zarr.folder));
        }
        let unit = unit_of(&zarr)?;
        check_region(&zarr.shape, &unit, region)?;
        let mut to = Destination::folder(path, token, true, Replaces::Nothing)?;
        to.begin()?;
        // The same again: whoever opens the array later does other work than who opened it before.
        let folder = Folder::of(&zarr.folder)?;
        let found = metadata::find(&folder, &Default::default())?;
        let content = folder.read(found.name)?.unwrap_or_else(|| found.json.to_string().into_bytes());
        to.write_last(found.name, &content)?;
        let origin = region.iter().map(|range| range.start).collect();
        Ok(Self { to, metadata: zarr.metadata, kind, unit, origin })
    }

    /// What stands in one file: elements along each axis.
    pub fn unit(&self) -> &[usize] {
        &self.unit
    }

    /// The write itself: its mark, its place, its end.
    pub fn destination(&self) -> &Destination {
        &self.to
    }

    /// Makes all chunks visible and then the metadata; calling it again is harmless.
    ///
    /// # Errors
    /// `PartsMissing`, `OutputExists` when another write came first, `Unwritable`, what the storage gives.
    pub fn publish(&self, parts: &[Part]) -> Result<Published> {
        self.to.publish(parts)
    }

    /// Writes a block of elements in row-major order that begins at `start` of what is written: the chunks that it consists of, the last
    /// ones filled up. `attempt` tells tries of the same block apart.
    ///
    /// # Errors
    /// `Unwritable` with the storage's answer, `Damaged` when a codec refuses.
    pub fn write(&self, start: &[usize], shape: &[usize], elements: &[u8], attempt: u32) -> Result<Vec<Part>> {
        if shape.contains(&0) {
            return Ok(Vec::new());
        }
        let array = self.array()?;
        let grid: Vec<usize> = shape.iter().zip(&self.unit).map(|(len, unit)| len.div_ceil(*unit)).collect();
        let mut parts = Vec::with_capacity(grid.iter().product());
        let mut position = vec![0; grid.len()];
        loop {
            let region: Vec<Range<usize>> =
                position.iter().zip(&self.unit).zip(shape).map(|((at, unit), len)| at * unit..((at + 1) * unit).min(*len)).collect();
            let chunk = self.chunk(&array, shape, elements, &region);
            let index = |axis: usize| ((self.origin[axis] + start[axis]) / self.unit[axis] + position[axis]) as u64;
            let indices: Vec<u64> = (0..grid.len()).map(index).collect();
            let count = region.iter().map(Range::len).product::<usize>();
            parts.push(self.write_chunk(&array, &indices, chunk, count, attempt)?);
            let next = (0..grid.len()).rev().find(|axis| position[*axis] + 1 < grid[*axis]);
            let Some(axis) = next else { return Ok(parts) };
            position[axis] += 1;
            position[axis + 1..].fill(0);
        }
    }

    /// A whole chunk: a region of the elements, and the fill value beyond the end of the array.
    fn chunk<'a>(&self, array: &Array<Keys>, shape: &[usize], elements: &'a [u8], region: &[Range<usize>]) -> Cow<'a, [u8]> {
        if shape == self.unit {
            return Cow::Borrowed(elements);
        }
        let size = self.kind.size();
        let count: usize = self.unit.iter().product();
        let mut chunk = array.fill_value().as_ne_bytes().repeat(count);
        copy(elements, shape, region, size, &mut chunk, &self.unit);
        Cow::Owned(chunk)
    }

    fn write_chunk(&self, array: &Array<Keys>, indices: &[u64], chunk: Cow<'_, [u8]>, count: usize, attempt: u32) -> Result<Part> {
        let key = array.chunk_key(indices);
        let encoded = guarded(&self.to.place(), None, || -> std::result::Result<Vec<u8>, String> {
            let shape = array.chunk_shape(indices).map_err(|error| error.to_string())?;
            let bytes = ArrayBytes::new_flen(chunk);
            let encoded = array.codecs().encode(bytes, &shape, array.data_type(), array.fill_value(), &one_thread());
            encoded.map(Cow::into_owned).map_err(|error| error.to_string())
        })?;
        self.to.write(key.as_str(), count as u64, &[&encoded], attempt)
    }

    fn array(&self) -> Result<Array<Keys>> {
        let place = self.to.place();
        array_of(&place, &self.metadata, Keys::new(Folder::of(&place)?, Default::default()))
    }
}

/// Copies a region of elements in row-major order to the beginning of others along each axis.
fn copy(from: &[u8], shape: &[usize], region: &[Range<usize>], size: usize, to: &mut [u8], to_shape: &[usize]) {
    let Some((last, outer)) = region.split_last() else {
        to.copy_from_slice(from);
        return;
    };
    let strides = |shape: &[usize]| {
        let mut strides = vec![size; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        strides
    };
    let (from_strides, to_strides) = (strides(shape), strides(to_shape));
    let length = last.len() * size;
    let mut position = vec![0; outer.len()];
    loop {
        let source: usize = position.iter().zip(outer).zip(&from_strides).map(|((at, range), stride)| (range.start + at) * stride).sum();
        let target: usize = position.iter().zip(&to_strides).map(|(at, stride)| at * stride).sum();
        let source = source + last.start * size;
        to[target..target + length].copy_from_slice(&from[source..source + length]);
        let Some(axis) = (0..outer.len()).rev().find(|axis| position[*axis] + 1 < outer[*axis].len()) else { return };
        position[axis] += 1;
        position[axis + 1..].fill(0);
    }
}

/// The chunk of an array whose chunks are all of one shape.
fn unit_of(zarr: &Zarr) -> Result<Vec<usize>> {
    let array = zarr.array()?;
    if zarr.shape.contains(&0) {
        return Ok(vec![1; zarr.shape.len()]);
    }
    let first = guarded(&zarr.folder, None, || array.chunk_shape(&vec![0; zarr.shape.len()]))?;
    let unit: Vec<usize> = first.iter().map(|len| usize::try_from(len.get()).unwrap_or(usize::MAX)).collect();
    let regular = |(lengths, unit): (&Vec<usize>, &usize)| lengths[..lengths.len() - 1].iter().all(|length| length == unit);
    match zarr.chunks()?.iter().zip(&unit).all(regular) {
        true => Ok(unit),
        false => {
            let accepted = "regions of arrays whose chunks are all of one shape".to_owned();
            Err(Error::new(ErrorKind::InvalidOption { accepted }, "region"))
        }
    }
}

/// Refuses a region that is not whole chunks of the array.
fn check_region(shape: &[usize], unit: &[usize], region: &[Range<usize>]) -> Result<()> {
    let invalid = |accepted: String| Err(Error::new(ErrorKind::InvalidOption { accepted }, "region"));
    if region.len() != shape.len() {
        return invalid(format!("{} ranges, one for each axis, not {}", shape.len(), region.len()));
    }
    for (axis, range) in region.iter().enumerate() {
        let (len, unit) = (shape[axis], unit[axis]);
        if range.end > len || range.start > range.end {
            return invalid(format!("a range within 0..{len} along axis {axis}, not {}..{}", range.start, range.end));
        }
        let whole = range.start.is_multiple_of(unit) && (range.end.is_multiple_of(unit) || range.end == len);
        if !whole && !range.is_empty() {
            let from = range.start / unit * unit;
            let to = (range.end.div_ceil(unit) * unit).min(len);
            return invalid(format!(
                "whole chunks, which are {unit} long along axis {axis}: for example {from}..{to}, not {}..{}",
                range.start, range.end
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_copied_to_the_beginning() {
        let from: Vec<u8> = (0..24).collect();
        let mut to = vec![99; 12];
        copy(&from, &[4, 6], &[1..3, 2..5], 1, &mut to, &[3, 4]);
        assert_eq!(to, [8, 9, 10, 99, 14, 15, 16, 99, 99, 99, 99, 99]);
        let mut to = vec![0; 8];
        copy(&from, &[2, 2, 3], &[1..2, 0..2, 1..2], 2, &mut to, &[1, 2, 2]);
        assert_eq!(to, [14, 15, 0, 0, 20, 21, 0, 0]);
        let mut one = vec![0];
        copy(&[7], &[], &[], 1, &mut one, &[]);
        assert_eq!(one, [7]);
    }

    #[test]
    fn regions_are_whole_chunks() {
        let check = |region: &[Range<usize>]| check_region(&[10, 4], &[4, 4], region).is_ok();
        assert!(check(&[0..4, 0..4]) && check(&[8..10, 0..4]) && check(&[4..10, 0..4]) && check(&[3..3, 0..4]));
        assert!(!check(&[0..3, 0..4]) && !check(&[1..4, 0..4]) && !check(&[8..12, 0..4]) && !check(&[0..4, 1..4]));
    }
}
