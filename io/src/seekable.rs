//! A file as decoders read it: from anywhere, forwards. It refuses to know formats.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use crate::error::Error;
use crate::source::Source;

/// What the storage refused: decoders turn it into words, and hand on a part of it only.
pub(crate) type Trouble = Rc<RefCell<Option<Error>>>;

/// A source of so many bytes, with a place in it.
pub(crate) struct Seekable {
    source: Source,
    size: u64,
    at: u64,
    trouble: Trouble,
}

impl Seekable {
    /// From its first byte on, and where its troubles are kept.
    pub fn new(source: Source, size: u64) -> (Self, Trouble) {
        let trouble = Trouble::default();
        (Self { source, size, at: 0, trouble: trouble.clone() }, trouble)
    }
}

impl Read for Seekable {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.source.read_at(self.at, out) {
            Ok(read) => {
                self.at += read as u64;
                Ok(read)
            }
            Err(error) => {
                *self.trouble.borrow_mut() = Some(error.clone());
                Err(io::Error::other(error))
            }
        }
    }
}

impl Seek for Seekable {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the file's start"))?;
        Ok(self.at)
    }
}
