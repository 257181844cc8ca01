//! Bytes of one file at an offset, whether it lies on a disk, in a store, or packed.
//!
//! It refuses to know formats. Invariant: a read returns fewer bytes than asked only at the end of the file; a file that became
//! shorter since it was listed is an error, never a silent end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;

use crate::blocking::{self, Pending};
use crate::compress::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Address, Remote, address, get, store_error, unreadable};

/// One request to a store: large enough to pay for its round trip.
const PART: u64 = 4 << 20;
/// A request after the expected end, where only the rest of a record is wanted.
const SMALL_PART: u64 = 256 << 10;
/// Requests under way at a time for one block.
const AHEAD: usize = 4;
/// Packed bytes are handed to the unpacker in pieces of this size.
const PACKED: usize = 256 << 10;

/// An open file.
pub(crate) struct Source {
    name: String,
    /// Unpacked size, where it is known.
    size: Option<u64>,
    bytes: Origin,
}

enum Origin {
    Disk(File),
    Store(Box<Parts>),
    Stream { unpacked: Box<dyn Read + Send>, at: u64 },
}

impl Source {
    /// Opens a file of `size` stored bytes. `wanted` says what will likely be read, so that a store can be asked ahead.
    pub(crate) fn open(name: &str, size: u64, compression: Compression, wanted: Range<u64>) -> Result<Self> {
        if compression == Compression::None {
            let bytes = match address(name)? {
                Address::Local(path) => Origin::Disk(File::open(path).map_err(|error| io_error(name, error))?),
                Address::Remote(remote) => Origin::Store(Box::new(Parts::new(&remote, size, wanted))),
            };
            return Ok(Self { name: name.to_owned(), size: Some(size), bytes });
        }
        let packed = Packed { source: Self::open(name, size, Compression::None, 0..size)?, at: 0, piece: Vec::new(), used: 0 };
        let unpacked = compression.unpack(packed).map_err(|error| io_error(name, error))?;
        Ok(Self { name: name.to_owned(), size: None, bytes: Origin::Stream { unpacked, at: 0 } })
    }

    /// The unpacked size; `None` for packed files, whose size only reading tells.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// As printed.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Fills `out` from `offset` on; fewer bytes only at the end. Packed files are read forwards only.
    pub(crate) fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<usize> {
        let left = self.size.map_or(u64::MAX, |size| size.saturating_sub(offset));
        let wanted = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let out = &mut out[..wanted];
        let read = match &mut self.bytes {
            Origin::Disk(file) => read_disk(file, offset, out).map_err(|error| io_error(&self.name, error))?,
            Origin::Store(parts) => parts.read_at(offset, out).map_err(|error| store_error(&self.name, error))?,
            Origin::Stream { unpacked, at } => skip(unpacked, offset.checked_sub(*at).expect("packed files are read forwards"))
                .and_then(|()| read_full(unpacked, out))
                .inspect(|read| *at = offset + *read as u64)
                .map_err(|error| packed_error(&self.name, error))?,
        };
        if read < wanted && self.size.is_some() {
            return Err(unreadable(&self.name, "it became shorter while it was read"));
        }
        Ok(read)
    }

    /// A copy of a range, shorter at the end of the file.
    pub(crate) fn copy(&mut self, range: Range<u64>) -> Result<Vec<u8>> {
        let length = range.end - range.start;
        let known = self.size.map_or(length, |size| length.min(size.saturating_sub(range.start)));
        let length = usize::try_from(known).expect("samples fit into memory");
        if let Origin::Disk(file) = &self.bytes {
            // Into memory that is not cleared before.
            let mut out = Vec::with_capacity(length);
            let mut file: &File = file;
            let read = file.seek(SeekFrom::Start(range.start)).and_then(|_| file.take(known).read_to_end(&mut out));
            return match read.map_err(|error| io_error(&self.name, error))? == length {
                true => Ok(out),
                false => Err(unreadable(&self.name, "it became shorter while it was read")),
            };
        }
        let mut out = vec![0; length];
        let read = self.read_at(range.start, &mut out)?;
        out.truncate(read);
        Ok(out)
    }
}

/// A system error in this crate's words; one of ours that travelled through `std::io` comes out unchanged.
pub(crate) fn io_error(name: &str, error: io::Error) -> Error {
    if let Some(ours) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return ours.clone();
    }
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(ErrorKind::NoSuchFile { similar: None }, name),
        _ => unreadable(name, error),
    }
}

fn packed_error(name: &str, error: io::Error) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return io_error(name, error);
    }
    Error::new(ErrorKind::Corrupt { answer: error.to_string() }, name)
}

#[cfg(unix)]
fn read_disk(file: &File, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    let mut read = 0;
    while read < out.len() {
        match file.read_at(&mut out[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(not(unix))]
fn read_disk(file: &mut File, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    read_full(file, out)
}

fn read_full(reader: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < out.len() {
        match reader.read(&mut out[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    io::copy(&mut reader.take(bytes), &mut io::sink()).map(drop)
}

/// A packed file's stored bytes, in order.
struct Packed {
    source: Source,
    at: u64,
    piece: Vec<u8>,
    used: usize,
}

impl Read for Packed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.used == self.piece.len() {
            self.piece.resize(PACKED, 0);
            let read = self.source.read_at(self.at, &mut self.piece).map_err(io::Error::other)?;
            self.piece.truncate(read);
            (self.at, self.used) = (self.at + read as u64, 0);
        }
        let count = out.len().min(self.piece.len() - self.used);
        out[..count].copy_from_slice(&self.piece[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}

/// An object read in parts, some of them asked for ahead.
struct Parts {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    /// Up to here parts are large and asked for ahead.
    likely: u64,
    /// Where the next request starts.
    next: u64,
    asked: VecDeque<(u64, Pending<object_store::Result<Bytes>>)>,
    current: Bytes,
    current_start: u64,
}

impl Parts {
    fn new(remote: &Remote, size: u64, wanted: Range<u64>) -> Self {
        let likely = wanted.end.min(size);
        let (store, path) = (remote.store.clone(), remote.path());
        Self { store, path, size, likely, next: wanted.start, asked: VecDeque::new(), current: Bytes::new(), current_start: 0 }
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> object_store::Result<usize> {
        let mut read = 0;
        while read < out.len() {
            let at = offset + read as u64;
            let here = at.checked_sub(self.current_start).map_or(usize::MAX, |skip| usize::try_from(skip).unwrap_or(usize::MAX));
            let Some(ready) = self.current.get(here..).filter(|ready| !ready.is_empty()) else {
                if !self.advance(at)? {
                    break;
                }
                continue;
            };
            let count = ready.len().min(out.len() - read);
            out[read..read + count].copy_from_slice(&ready[..count]);
            read += count;
        }
        Ok(read)
    }

    /// Makes the part at `at` the current one; false when the store gave nothing.
    fn advance(&mut self, at: u64) -> object_store::Result<bool> {
        if self.asked.front().map_or(self.next, |(start, _)| *start) != at {
            self.asked.clear();
            self.next = at;
        }
        while self.next < self.size && (self.asked.is_empty() || (self.next < self.likely && self.asked.len() < AHEAD)) {
            let end = if self.next < self.likely { (self.next + PART).min(self.likely) } else { self.next + SMALL_PART }.min(self.size);
            self.asked.push_back((self.next, blocking::start(get(self.store.clone(), self.path.clone(), self.next..end))));
            self.next = end;
        }
        let Some((start, part)) = self.asked.pop_front() else { return Ok(false) };
        (self.current, self.current_start) = (part.wait()?, start);
        Ok(!self.current.is_empty())
    }
}
