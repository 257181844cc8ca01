//! Reads one block: bytes go through the window into the decoder, nothing else is held.
//!
//! It refuses to know partitions and types. Invariant: a scan that succeeds has decoded exactly the records that start in its block,
//! and the next block starts where it ended; a cut inside a quoted field is always found, by this block or by the one before. Where nobody
//! reads the one before, this block looks itself whether it starts right, through all bytes before it.

use std::sync::Arc;

use super::cut::likely;
use super::walk::is_record_start;
use super::{Block, Decoded, Decoder, FileInfo, ReadSpec};
use crate::compress::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::read::Window;
use crate::shown::shown;
use crate::source::Source;

/// Decodes a block. `sink` gets batches of about `batch_bytes` in memory (`usize::MAX`: one), in order, at least one, which may be
/// empty. `cancelled` is asked once per window.
///
/// A block that is not exact and fails may have started inside a quoted field. Then its true state is looked up from the file's start,
/// and the error is `WrongCut` if the start was wrong; so any other error is a true one.
///
/// # Errors
/// `WrongCut`: plan again with [`super::exact_blocks_in_place`]. `Cancelled`. What the decoder, the storage and `sink` give.
pub fn scan(
    files: &[FileInfo],
    block: &Block,
    spec: &Arc<ReadSpec>,
    batch_bytes: usize,
    cancelled: &dyn Fn() -> bool,
    sink: &mut dyn FnMut(Decoded) -> Result<()>,
) -> Result<()> {
    let file = &files[block.file as usize];
    let mut decoder = Decoder::new(spec.clone());
    if block.exact && block.start >= block.end {
        return sink(decoder.take()?);
    }
    let mut source = Source::open(&file.path, file.size, file.compression, likely(block))?;
    let (mut window, trusted) = start(block, &mut source)?;
    let begin = window.offset();
    if begin >= block.end {
        // A record longer than the block covers all of it, and belongs to the block where it starts.
        return sink(decoder.take()?);
    }
    // Quotes that mean nothing hold no line ends.
    if block.alone && !trusted && spec.dialect.quote.is_some() && !is_record_start(file, &spec.dialect, begin)? {
        return Err(Error::new(ErrorKind::WrongCut, &file.path));
    }
    let mut run = Run { block, file, cancelled, batch_bytes, next: NextStart::new(block) };
    match run.decode(&mut window, &mut source, &mut decoder, sink) {
        Err(error) if !trusted && doubtful(&error) && !is_record_start(file, &spec.dialect, begin)? => {
            Err(Error::new(ErrorKind::WrongCut, &file.path))
        }
        Err(mut error) => {
            if error.place().file.is_empty() {
                error.place_mut().file = shown(&file.path).into_owned();
            }
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

/// Errors that bytes in the wrong state can cause.
fn doubtful(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::WrongCut | ErrorKind::Cancelled | ErrorKind::Unreadable { .. } | ErrorKind::Corrupt { .. })
}

/// A window at the block's first record, and whether that start is known for sure.
fn start(block: &Block, source: &mut Source) -> Result<(Window, bool)> {
    if block.first || block.exact {
        return Ok((Window::at(block.start), true));
    }
    let mut window = Window::at(block.start - 1);
    loop {
        window.fill(source, block.end)?;
        if let Some(newline) = memchr::memchr(b'\n', window.bytes()) {
            window.consume(newline + 1);
            return Ok((window, false));
        }
        window.clear();
        if window.ended() {
            return Ok((window, false));
        }
    }
}

/// Where the next block will start: after the first newline at or after the block's end less one.
struct NextStart {
    /// Not looked at from here on.
    from: u64,
    found: Option<u64>,
}

impl NextStart {
    fn new(block: &Block) -> Self {
        Self { from: block.end.saturating_sub(1), found: None }
    }

    fn look(&mut self, window: &Window) {
        if self.found.is_some() || window.end() <= self.from {
            return;
        }
        let from = (self.from - window.offset()) as usize;
        self.found = memchr::memchr(b'\n', &window.bytes()[from..]).map(|at| self.from + at as u64 + 1);
        self.from = window.end();
    }
}

struct Run<'a> {
    block: &'a Block,
    file: &'a FileInfo,
    cancelled: &'a dyn Fn() -> bool,
    batch_bytes: usize,
    next: NextStart,
}

impl Run<'_> {
    fn decode(
        &mut self,
        window: &mut Window,
        source: &mut Source,
        decoder: &mut Decoder,
        sink: &mut dyn FnMut(Decoded) -> Result<()>,
    ) -> Result<()> {
        let mut batches = 0;
        loop {
            if (self.cancelled)() {
                return Err(Error::new(ErrorKind::Cancelled, &self.file.path));
            }
            window.fill(source, self.block.end)?;
            self.next.look(window);
            let limit = usize::try_from(self.block.end.saturating_sub(window.offset())).unwrap_or(usize::MAX);
            let consumed = decoder.push(window.bytes(), window.offset(), limit, window.ended())?;
            window.consume(consumed.bytes);
            if consumed.done || window.ended() {
                self.verify(window)?;
                break;
            }
            if decoder.nbytes() >= self.batch_bytes {
                sink(decoder.take()?)?;
                batches += 1;
            }
        }
        if batches == 0 || decoder.rows() > 0 {
            sink(decoder.take()?)?;
        }
        Ok(())
    }

    /// The window starts at the first record that is not the block's; the next block must start there too.
    fn verify(&self, window: &Window) -> Result<()> {
        let is_last = self.block.end >= self.file.size || self.file.compression != Compression::None;
        let next = if self.block.exact { self.block.end } else { self.next.found.unwrap_or(self.file.size) };
        if is_last || next == window.offset() {
            return Ok(());
        }
        let changed = || ErrorKind::Unreadable { answer: "it changed since its blocks were planned".to_owned() };
        Err(Error::new(if self.block.exact { changed() } else { ErrorKind::WrongCut }, &self.file.path))
    }
}
