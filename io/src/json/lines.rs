//! Where JSON lines are cut, and the lines of one block.
//!
//! It refuses to parse. Invariant: JSON has no newline inside a value, so each line belongs to the block in which it starts, and cuts are
//! always right.

use serde::{Deserialize, Serialize};

use crate::compress::Compression;
use crate::damage::damaged;
use crate::error::{ErrorKind, Result};
use crate::read::Window;
use crate::source::Source;

/// A range of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) file: u32,
    /// First byte, unpacked. Of a block that is not the first: the first line starts after the next newline at or after the byte before.
    pub(super) start: u64,
    /// Lines that start before this byte belong to the block.
    pub(super) end: u64,
    pub(super) first: bool,
}

/// A file of `size` stored bytes whose text starts at `text`, cut at multiples of `blocksize`. Packed files are one block.
pub(super) fn cut(file: u32, size: u64, text: u64, compression: Compression, blocksize: u64) -> Vec<Block> {
    if size == 0 {
        return Vec::new();
    }
    if compression != Compression::None {
        return vec![Block { file, start: text, end: u64::MAX, first: true }];
    }
    let count = (size.saturating_sub(text) / blocksize).max(1);
    let at = |number: u64| if number == count { size } else { text + number * blocksize };
    (0..count).map(|number| Block { file, start: at(number), end: at(number + 1), first: number == 0 }).collect()
}

/// Calls `each` with the place and the bytes of every line of a block that is not blank, without its newline, until it says that no more
/// are wanted.
pub(super) fn each_line(source: &mut Source, block: &Block, mut each: impl FnMut(u64, &[u8]) -> Result<bool>) -> Result<()> {
    let mut window = Window::at(if block.first { block.start } else { block.start - 1 });
    let mut inside = block.first;
    loop {
        let (bytes, base) = (window.bytes(), window.offset());
        let mut at = 0;
        if !inside {
            match memchr::memchr(b'\n', bytes) {
                Some(newline) => (at, inside) = (newline + 1, true),
                None => at = bytes.len(),
            }
        }
        while inside && base + (at as u64) < block.end {
            let rest = &bytes[at..];
            match memchr::memchr(b'\n', rest) {
                Some(newline) => {
                    if !line(base + at as u64, &rest[..newline], &mut each)? {
                        return Ok(());
                    }
                    at += newline + 1;
                }
                None if window.ended() => {
                    return line(base + at as u64, rest, &mut each).map(drop);
                }
                None => break,
            }
        }
        if window.ended() || (inside && base + (at as u64) >= block.end) {
            return Ok(());
        }
        window.consume(at);
        window.fill(source, block.end).map_err(|error| {
            let endless = matches!(error.kind(), ErrorKind::UnclosedQuote);
            if endless { damaged(&error.place().file, error.place().byte, "a line has no end: these are no JSON lines") } else { error }
        })?;
    }
}

fn line(at: u64, bytes: &[u8], each: &mut impl FnMut(u64, &[u8]) -> Result<bool>) -> Result<bool> {
    match bytes.iter().all(u8::is_ascii_whitespace) {
        true => Ok(true),
        false => each(at, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_once_at_any_blocksize() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl").to_string_lossy().into_owned();
        for text in
            ["{1}\n{22}\n\n{333}\n", "{1}\r\n{22}\r\n{333}", "\n\n{1}\n{22}\n{333}\n\n", "{1}\n{22}\n{a long line of its own}\n{333}\n"]
        {
            std::fs::write(&path, text).unwrap();
            let size = text.len() as u64;
            for blocksize in 1..=size + 1 {
                let mut found = Vec::new();
                let blocks = cut(0, size, 0, Compression::None, blocksize);
                assert!(blocks.windows(2).all(|pair| pair[0].end == pair[1].start));
                for block in blocks {
                    let mut source = Source::open(&path, size, Compression::None, block.start..block.end).unwrap();
                    let take = |at: u64, line: &[u8]| {
                        assert_eq!(&text.as_bytes()[at as usize..at as usize + line.len()], line);
                        found.push(String::from_utf8_lossy(line).trim().to_owned());
                        Ok(true)
                    };
                    each_line(&mut source, &block, take).unwrap();
                }
                let expected: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
                assert_eq!(found, expected, "{text:?} in blocks of {blocksize}");
            }
        }
    }
}
