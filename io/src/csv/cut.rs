//! Where files are cut into blocks.
//!
//! It refuses to decode. Invariant: the blocks of a file follow each other from its first data byte to its end. A block that is not
//! exact starts at the first newline at or after its `start - 1`, a pure function of the file's bytes, taken on trust that no quoted field
//! holds that newline; [`super::scan`] checks the trust at each block's end, where the true record boundary is known.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{FileInfo, Table, exact_blocks};
use crate::compress::Compression;
use crate::error::{Error, ErrorKind, Result};

/// A piece of one file: the task of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Block {
    /// Index into [`Table::files`].
    pub file: u32,
    /// First byte, unpacked. Of a block that is neither `first` nor `exact`: only a mark, the first record starts after the next newline.
    pub start: u64,
    /// Records that start before this byte belong to the block.
    pub end: u64,
    /// Whether this is where the file's data starts.
    pub first: bool,
    /// Whether `start` and `end` are known record boundaries.
    pub exact: bool,
    /// Whether nobody reads the block before it, who would see whether this one starts where a record does: then it looks itself.
    pub alone: bool,
}

/// Cuts all files at multiples of `blocksize` bytes from where their data starts. A rest smaller than half a block joins the last. Files
/// without data give no block; packed files give one. Reads nothing, unless quoted newlines or comments make a look necessary: then
/// this is [`exact_blocks`].
///
/// # Errors
/// `InvalidOption` for a `blocksize` of 0; what reading gives.
pub fn blocks(table: &Table, blocksize: u64) -> Result<Vec<Block>> {
    check(blocksize)?;
    if table.has_quoted_newlines || table.dialect.comment.is_some() {
        return exact_blocks(table, blocksize, std::thread::available_parallelism().map_or(1, usize::from));
    }
    let mut blocks = Vec::new();
    for (index, file) in table.files.iter().enumerate() {
        append(&mut blocks, index, file, &nominal(file, blocksize), false);
    }
    Ok(blocks)
}

pub(super) fn check(blocksize: u64) -> Result<()> {
    if blocksize == 0 {
        return Err(Error::new(ErrorKind::InvalidOption { accepted: "at least one byte".to_owned() }, "blocksize"));
    }
    Ok(())
}

/// The places between blocks, before anything is known of records.
pub(super) fn nominal(file: &FileInfo, blocksize: u64) -> Vec<u64> {
    if file.compression != Compression::None {
        return Vec::new();
    }
    let data = file.size.saturating_sub(file.data_start);
    let mut count = data / blocksize;
    if count > 0 && data % blocksize < blocksize.div_ceil(2) {
        count -= 1;
    }
    (1..=count).map(|number| file.data_start + number * blocksize).collect()
}

/// Appends a file's blocks between `cuts`; of cuts that are the same place the blocks between are empty.
pub(super) fn append(blocks: &mut Vec<Block>, index: usize, file: &FileInfo, cuts: &[u64], exact: bool) {
    let packed = file.compression != Compression::None;
    if file.size == 0 || (!packed && file.data_start >= file.size) {
        return;
    }
    let file_index = u32::try_from(index).expect("fewer than 2^32 files");
    let last = if packed { u64::MAX } else { file.size };
    let mut start = file.data_start;
    for &end in cuts.iter().chain([&last]) {
        blocks.push(Block { file: file_index, start, end, first: start == file.data_start, exact: exact || packed, alone: false });
        start = end;
    }
}

/// A block size in bytes for so much data: each thread gets several blocks, a block in work takes a small part of the memory, and none
/// is smaller than 1 MiB or larger than 64 MiB.
pub fn default_blocksize(total_bytes: u64, threads: usize, memory_limit: u64) -> u64 {
    let threads = threads.max(1) as u64;
    let balanced = total_bytes.div_ceil(threads * 8);
    // Columns in memory take up to a few times their text, and a few blocks wait while others are worked on.
    let bearable = memory_limit / (threads * 16);
    balanced.min(bearable).clamp(1 << 20, 64 << 20).next_multiple_of(64 << 10)
}

/// A block's last record ends a little after the block.
const OVERRUN: u64 = 64 << 10;

/// The bytes that reading a block likely takes, for asking a store ahead.
pub(super) fn likely(block: &Block) -> Range<u64> {
    let start = if block.first || block.exact { block.start } else { block.start - 1 };
    start..if block.exact { block.end } else { block.end.saturating_add(OVERRUN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u64, data_start: u64) -> FileInfo {
        FileInfo { path: "t.csv".into(), size, compression: Compression::None, version: String::new(), text_start: 0, data_start }
    }

    #[test]
    fn nominal_cuts() {
        assert_eq!(nominal(&file(100, 0), 40), [40, 80]);
        assert_eq!(nominal(&file(99, 0), 40), [40]);
        assert_eq!(nominal(&file(100, 10), 45), [55]);
        assert!(nominal(&file(100, 0), 1000).is_empty());
        assert_eq!(nominal(&file(3, 0), 1), [1, 2]);
        assert!(nominal(&file(0, 0), 1).is_empty());
        assert!(nominal(&FileInfo { compression: Compression::Gzip, ..file(100, 0) }, 10).is_empty());
    }

    #[test]
    fn blocksizes() {
        assert_eq!(default_blocksize(0, 2, u64::MAX), 1 << 20);
        assert_eq!(default_blocksize(1 << 40, 2, u64::MAX), 64 << 20);
        assert_eq!(default_blocksize(512 << 20, 2, 8 << 30), 32 << 20);
        assert_eq!(default_blocksize(1 << 40, 4, 1 << 30), 16 << 20);
    }
}
