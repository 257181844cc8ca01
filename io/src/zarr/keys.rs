//! The files of an array by their keys, as Zarr's codecs ask for them: our own sources behind the storage traits of `zarrs`.
//!
//! It refuses to know metadata and codecs. Invariant: a key that is not there is no failure, every other refusal is kept as it was, so
//! that it can be told in its own words.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use zarrs::storage::byte_range::{ByteRange, ByteRangeIterator};
use zarrs::storage::{MaybeBytes, MaybeBytesIterator, ReadableStorageTraits, StorageError, StoreKey};

use crate::error::{Error, ErrorKind, Result};
use crate::folder::Folder;
use crate::ranges::fetch;

/// The folder of an array, read only.
pub(super) struct Keys {
    folder: Folder,
    /// Where files lie that a write was publishing when the array was opened; `None` for those that it takes away.
    moved: BTreeMap<String, Option<String>>,
    trouble: Mutex<Option<Error>>,
}

impl Keys {
    pub(super) fn new(folder: Folder, moved: BTreeMap<String, Option<String>>) -> Self {
        Self { folder, moved, trouble: Mutex::new(None) }
    }

    /// The first refusal of the storage since it was last asked for.
    pub(super) fn trouble(&self) -> Option<Error> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn kept(&self, error: Error) -> StorageError {
        let told = StorageError::Other(error.to_string());
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        told
    }

    /// Asks for a file where it was when the array was opened, and then where it is when all is published.
    fn find<T>(&self, key: &str, ask: impl Fn(&str) -> Result<Option<T>>) -> std::result::Result<Option<T>, StorageError> {
        let found = match self.moved.get(key) {
            None => ask(key),
            Some(None) => Ok(None),
            Some(Some(staged)) => match ask(staged) {
                Ok(None) => ask(key),
                found => found,
            },
        };
        found.map_err(|error| self.kept(error))
    }

    /// Ranges of a file; `None` when it is not there.
    fn ranges(&self, below: &str, ranges: &[ByteRange]) -> Result<Option<Vec<Bytes>>> {
        let Some(size) = self.folder.size_of(below)? else { return Ok(None) };
        let wanted: Vec<Range<u64>> = ranges.iter().map(|range| clipped(*range, size)).collect();
        match fetch(&self.folder.name_of(below), size, &wanted) {
            Ok(found) => Ok(Some(found.into_iter().map(|piece| Bytes::from_owner(Held(piece))).collect())),
            // It was replaced in between.
            Err(error) if matches!(error.kind(), ErrorKind::NoSuchFile { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Shared bytes, as `bytes` takes them.
struct Held(polars_buffer::Buffer<u8>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A range as far as there can be one: a file may be shorter than its format says. What is cut off the decoder misses.
fn clipped(range: ByteRange, size: u64) -> Range<u64> {
    match range {
        ByteRange::FromStart(start, length) => {
            let start = start.min(size);
            start..length.map_or(size, |length| start.saturating_add(length).min(size))
        }
        ByteRange::Suffix(length) => size.saturating_sub(length)..size,
    }
}

impl ReadableStorageTraits for Keys {
    fn get(&self, key: &StoreKey) -> std::result::Result<MaybeBytes, StorageError> {
        self.find(key.as_str(), |below| Ok(self.folder.read(below)?.map(Bytes::from)))
    }

    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        byte_ranges: ByteRangeIterator<'a>,
    ) -> std::result::Result<MaybeBytesIterator<'a>, StorageError> {
        let ranges: Vec<ByteRange> = byte_ranges.collect();
        let found = self.find(key.as_str(), |below| self.ranges(below, &ranges))?;
        let Some(pieces) = found else { return Ok(None) };
        Ok(Some(Box::new(pieces.into_iter().map(Ok))))
    }

    fn size_key(&self, key: &StoreKey) -> std::result::Result<Option<u64>, StorageError> {
        self.find(key.as_str(), |below| self.folder.size_of(below))
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_key_whole_and_in_ranges() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_string_lossy().into_owned();
        for root in [root.as_str(), "memory://zarr-keys"] {
            if !root.contains("://") {
                std::fs::create_dir_all(folder.path().join("c")).unwrap();
            }
            crate::put(&format!("{root}/c/0"), b"0123456789".to_vec()).unwrap();
            crate::put(&format!("{root}/staged"), b"new".to_vec()).unwrap();
            let moved = [("c/1", Some("staged")), ("c/2", Some("gone")), ("c/3", None)];
            let moved = moved.into_iter().map(|(key, at)| (key.to_owned(), at.map(str::to_owned))).collect();
            let keys = Keys::new(Folder::of(root).unwrap(), moved);
            let key = |text: &str| StoreKey::new(text).unwrap();
            assert_eq!(keys.get(&key("c/0")).unwrap().as_deref(), Some(&b"0123456789"[..]), "{root}");
            assert_eq!(keys.get(&key("c/1")).unwrap().as_deref(), Some(&b"new"[..]), "{root}");
            assert_eq!(keys.size_key(&key("c/0")).unwrap(), Some(10), "{root}");
            for missing in ["c/2", "c/3", "c/4", "x"] {
                assert_eq!(keys.get(&key(missing)).unwrap(), None, "{root} {missing}");
                assert_eq!(keys.size_key(&key(missing)).unwrap(), None, "{root} {missing}");
            }
            let ranges = [ByteRange::FromStart(2, Some(3)), ByteRange::Suffix(2), ByteRange::FromStart(8, Some(9)), ByteRange::Suffix(99)];
            let found = keys.get_partial_many(&key("c/0"), Box::new(ranges.into_iter())).unwrap().expect("it is there");
            let found: Vec<Bytes> = found.map(|piece| piece.unwrap()).collect();
            assert_eq!(found, ["234", "89", "89", "0123456789"], "{root}");
            assert!(keys.get_partial_many(&key("c/9"), Box::new(ranges.into_iter())).unwrap().is_none(), "{root}");
            assert!(keys.trouble().is_none());
        }
    }
}
