//! Images: PNG, JPEG and TIFF files that are one array, one after the other along a new first axis.
//!
//! It refuses to know tasks, and what names end in: the first bytes of a file say its format. Invariant: every file gives elements of the
//! kind and shape that the first one has, in row-major order, or is named in an error.

mod jpeg;
mod png;
mod tiff;

use std::fmt::Display;
use std::io::{BufRead, BufReader, Cursor};

use serde::{Deserialize, Serialize};

use crate::compress::Compression;
use crate::csv::in_parallel;
use crate::damage::{damaged, guarded};
use crate::error::{Error, ErrorKind, Result};
use crate::kind::Kind;
use crate::resolve::{self, Found};
use crate::seekable::Seekable;
use crate::source::Source;
use crate::table::{REMOTE_THREADS, absolute, in_store};

/// Read at a time while only the header is wanted; enough for most headers, which may hold a small picture of the picture.
const HEAD: u64 = 64 << 10;
/// No format packs better than this, but for what says nothing. A header that announces more is damage, and nobody should reserve memory
/// for it.
const PACKED: u64 = 1 << 16;

/// Pictures of one kind and shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    files: Vec<File>,
    layout: Layout,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    /// A whole path, or a URL.
    name: String,
    size: u64,
    /// Changes when the file does: work on another content is other work.
    version: String,
}

/// What one picture consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Layout {
    kind: Kind,
    shape: Vec<usize>,
}

impl Layout {
    /// Channels are an axis where there are several.
    fn new(kind: Kind, [height, width]: [usize; 2], channels: usize) -> Self {
        let channels = (channels != 1).then_some(channels);
        Self { kind, shape: [height, width].into_iter().chain(channels).collect() }
    }

    fn bytes(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.kind.size(), |product, len| product.checked_mul(*len))
    }

    fn show(&self) -> String {
        format!("shape {:?} of {}", self.shape, self.kind.name())
    }
}

/// Why a decoder gives up.
enum Refusal {
    Damaged(String),
    /// A picture that arrays cannot hold as it is.
    Unknown(String),
}

fn refused(error: impl Display) -> Refusal {
    Refusal::Damaged(error.to_string())
}

/// Decoders ask for all memory at once, and the process ends where the system does not have it. Pages that nobody writes cost nothing.
fn has_room(bytes: Option<usize>) -> std::result::Result<(), Refusal> {
    let mut room = Vec::<u8>::new();
    let had = bytes.is_some_and(|bytes| room.try_reserve_exact(bytes).is_ok());
    drop(std::hint::black_box(room));
    if had { Ok(()) } else { Err(refused("it announces more than there is memory for")) }
}

/// Reads the headers of all files that a name or pattern stands for; a pattern's in the order of their names, numbers by value.
///
/// # Errors
/// `NoSuchFile`, `NoMatch`, `IsDirectory`, `SchemaMismatch` for a picture of another kind or shape than the first, `Damaged` for what is
/// no picture, `UnknownType`, what the storage gives.
pub fn open(pattern: &str) -> Result<Images> {
    let found = resolve::find(&[absolute(pattern)])?;
    let remote = found.iter().any(|found| in_store(&found.name));
    let layouts = in_parallel(found.len(), if remote { REMOTE_THREADS } else { 1 }, |at| layout_of(&found[at]))?;
    let first = &layouts[0];
    if let Some(at) = layouts.iter().position(|layout| layout != first) {
        let difference = format!("{}, and the first has {}", layouts[at].show(), first.show());
        return Err(Error::new(ErrorKind::SchemaMismatch { first: found[0].name.clone(), difference }, &found[at].name));
    }
    let layout = first.clone();
    let files = found.into_iter().map(|Found { name, facts }| File { name, size: facts.size, version: facts.version }).collect();
    Ok(Images { files, layout })
}

fn layout_of(found: &Found) -> Result<Layout> {
    let (name, size) = (&found.name, found.facts.size);
    let source = Source::open(name, size, Compression::None, 0..HEAD)?;
    let (bytes, trouble) = Seekable::new(source, size);
    let mut reader = BufReader::with_capacity(HEAD as usize, bytes);
    let layout = decoded(name, || match Format::of(reader.fill_buf().map_err(refused)?)? {
        Format::Png => png::layout(reader),
        Format::Jpeg => jpeg::layout(reader),
        Format::Tiff => tiff::layout(reader),
    });
    // What the storage said says more than what the decoder made of it.
    let layout = layout.map_err(|error| trouble.take().unwrap_or(error))?;
    let most = size.saturating_mul(PACKED).saturating_add(1 << 20);
    match layout.bytes() {
        Some(bytes) if bytes as u64 <= most => Ok(layout),
        _ => Err(damaged(name, None, format!("its header announces {}, and the file has {size} bytes", layout.show()))),
    }
}

/// Calls a decoder, whatever it does.
fn decoded<T>(name: &str, decode: impl FnOnce() -> std::result::Result<T, Refusal>) -> Result<T> {
    match guarded(name, None, || Ok::<_, String>(decode()))? {
        Ok(value) => Ok(value),
        Err(Refusal::Damaged(what)) => Err(damaged(name, None, what)),
        Err(Refusal::Unknown(what)) => Err(Error::new(ErrorKind::UnknownType { what }, name)),
    }
}

impl Images {
    /// The files, as printed, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// The kind of their elements.
    pub fn kind(&self) -> Kind {
        self.layout.kind
    }

    /// Elements along each axis of one picture: height, width, and channels where there are several; before them the pages of a file of
    /// several.
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The elements of a picture by its place among the files, in row-major order.
    ///
    /// # Errors
    /// `Damaged`, also for a picture that is not what it was; `NoSuchFile`, what the storage gives.
    pub fn read(&self, at: usize) -> Result<Vec<u8>> {
        let File { name, size, .. } = &self.files[at];
        let bytes = Source::open(name, *size, Compression::None, 0..*size)?.copy(0..*size)?;
        let format = decoded(name, || Format::of(&bytes))?;
        let layout = decoded(name, || match format {
            Format::Png => png::layout(Cursor::new(&bytes)),
            Format::Jpeg => jpeg::layout(Cursor::new(&bytes)),
            Format::Tiff => tiff::layout(Cursor::new(&bytes)),
        })?;
        // Before memory is taken for what a file announces that nobody has looked at.
        if layout != self.layout {
            return Err(damaged(name, None, format!("{}, and it had {} when it was found", layout.show(), self.layout.show())));
        }
        decoded(name, || {
            has_room(layout.bytes())?;
            match format {
                Format::Png => png::decode(Cursor::new(&bytes)),
                Format::Jpeg => jpeg::decode(&bytes),
                Format::Tiff => tiff::decode(Cursor::new(&bytes)),
            }
        })
        .map(|(_, elements)| elements)
    }
}

enum Format {
    Png,
    Jpeg,
    Tiff,
}

impl Format {
    fn of(head: &[u8]) -> std::result::Result<Self, Refusal> {
        match head {
            [0x89, b'P', b'N', b'G', ..] => Ok(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Ok(Self::Jpeg),
            // 43 is the mark of large ones.
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Ok(Self::Tiff),
            _ => Err(refused("it does not begin as PNG, JPEG or TIFF files do")),
        }
    }
}
