//! The window: one small buffer that moves over a file, reused from block to block.
//!
//! It refuses to know formats. Invariant: the window holds consecutive bytes of the file; what was not consumed stays, at the front.
//! The buffer fits into a core's own cache and is never returned to the system, because fresh pages cost more than the reading.

use std::cell::RefCell;

use crate::error::{Error, ErrorKind, Place, Result};
use crate::source::Source;

/// Bytes of a window; more only while a single record needs more.
pub(crate) const WINDOW: usize = 256 << 10;
/// A record may not be longer than this: such a record is a quote that was never closed.
pub(crate) const LONGEST_RECORD: usize = 256 << 20;
/// Read together with a block's last bytes, so that its last record rarely takes another read.
const OVERRUN: u64 = 4 << 10;
/// Read at a time past the end of a block.
const SMALL: u64 = 64 << 10;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Consecutive bytes of a file.
pub(crate) struct Window {
    buffer: Vec<u8>,
    filled: usize,
    offset: u64,
    ended: bool,
}

impl Window {
    /// An empty window whose first byte will be the one at `offset`.
    pub(crate) fn at(offset: u64) -> Self {
        let pooled = POOL.with(|pool| pool.borrow_mut().pop());
        Self { buffer: pooled.unwrap_or_else(|| vec![0; WINDOW]), filled: 0, offset, ended: false }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Where the first byte stands in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the byte after the last one stands.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.filled as u64
    }

    /// Whether the file ends with the window.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads on: up to `until` and a little more, or a small piece when `until` is already reached. Grows when it is full.
    pub(crate) fn fill(&mut self, source: &mut Source, until: u64) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        if self.filled == self.buffer.len() {
            self.grow(source)?;
        }
        let space = self.buffer.len() - self.filled;
        let likely = if self.end() < until { (until - self.end()).saturating_add(OVERRUN) } else { SMALL };
        let wanted = space.min(usize::try_from(likely).unwrap_or(usize::MAX));
        let read = source.read_at(self.end(), &mut self.buffer[self.filled..self.filled + wanted])?;
        self.filled += read;
        self.ended = read < wanted || source.size() == Some(self.end());
        Ok(())
    }

    fn grow(&mut self, source: &Source) -> Result<()> {
        if self.buffer.len() >= LONGEST_RECORD {
            let place = Place { file: source.name().to_owned(), byte: Some(self.offset), ..Place::default() };
            return Err(Error::at(ErrorKind::UnclosedQuote, place));
        }
        self.buffer.resize(self.buffer.len() * 2, 0);
        Ok(())
    }

    /// Drops bytes from the front; the rest moves there.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.offset += bytes as u64;
    }

    /// Drops all bytes.
    pub(crate) fn clear(&mut self) {
        self.consume(self.filled);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if self.buffer.len() == WINDOW {
            let buffer = std::mem::take(&mut self.buffer);
            POOL.with(|pool| pool.borrow_mut().push(buffer));
        }
    }
}
