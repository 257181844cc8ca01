//! Arrays in files: the step that reads one block by block, and what `io` says of such files in the user's words.
//!
//! It refuses to know formats, which `io` does. Invariant: a block reads its own bytes only, and every failure names the file.

use std::ffi::OsStr;
use std::sync::Arc;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext};
use partita_io::images::Images;
use partita_io::npy::Npy;
use partita_io::zarr::Zarr;
use partita_io::{Error, ErrorKind, Kind, shown};
use serde::{Deserialize, Serialize};

use super::block::Block;
use super::element::DType;
use super::lower::{Lowered, Lowering};
use super::meta::{Cuts, Meta, Place};
use super::{AnyArray, Chunks, DArray, Element, Node, Step};
use crate::frame::expr::nearest;
use crate::frame::files::file_failure;

/// Where the elements of an array lie.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Source {
    /// One file of NumPy.
    Npy(Npy),
    /// Several, one for each block.
    Stack(Vec<Npy>),
    /// A Zarr array.
    Zarr(Zarr),
    /// Pictures, one for each block.
    Images(Images),
}

impl Source {
    pub fn method(&self) -> &'static str {
        match self {
            Source::Npy(_) => "read_npy",
            Source::Stack(_) => "read_npy_stack",
            Source::Zarr(_) => "read_zarr",
            Source::Images(_) => "read_images",
        }
    }

    /// A file of it, or its folder.
    fn name(&self) -> &str {
        match self {
            Source::Npy(file) => file.name(),
            Source::Stack(files) => files.first().map_or("", Npy::name),
            Source::Zarr(zarr) => zarr.name(),
            Source::Images(images) => images.names().next().unwrap_or(""),
        }
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Source::Stack(files) => files.iter().map(Npy::name).collect(),
            Source::Images(images) => images.names().collect(),
            Source::Npy(_) | Source::Zarr(_) => vec![self.name()],
        }
    }

    /// The kind of its elements.
    pub fn dtype(&self) -> Result<DType, Failure> {
        match self {
            Source::Npy(file) => dtype_of(file.kind()),
            Source::Stack(files) => files.first().map_or_else(|| Err(no_file()), |file| dtype_of(file.kind())),
            Source::Zarr(zarr) => dtype_of(zarr.kind()),
            Source::Images(images) => dtype_of(images.kind()),
        }
    }

    fn read(&self, piece: &Piece) -> Result<Block, Failure> {
        let ranges = piece.place.ranges();
        let failed = |error| array_failure(error, self.method());
        match self {
            Source::Npy(file) => block_of_npy(file, &piece.place).map_err(failed)?,
            Source::Stack(files) => {
                let file = files.get(piece.file as usize).ok_or_else(no_file)?;
                block_of_npy(file, &piece.place).map_err(failed)?
            }
            Source::Zarr(zarr) => Read { bytes: zarr.read(&ranges).map_err(failed)?, fortran: false },
            Source::Images(images) => Read { bytes: images.read(piece.file as usize).map_err(failed)?, fortran: false },
        }
        .block(self.dtype()?, &piece.place.shape)
    }
}

fn no_file() -> Failure {
    Failure::internal("a block of a stack without its file")
}

/// What came from a file.
struct Read {
    bytes: Vec<u8>,
    fortran: bool,
}

fn block_of_npy(file: &Npy, place: &Place) -> Result<Read, Error> {
    Ok(Read { bytes: file.read(&place.ranges())?, fortran: file.is_fortran() })
}

impl Read {
    /// The same bytes as a block, whatever their order of axes.
    fn block(self, dtype: DType, shape: &[usize]) -> Result<Block, Failure> {
        if !self.fortran {
            return Block::from_bytes(dtype, shape.to_vec(), self.bytes);
        }
        let reversed: Vec<usize> = shape.iter().rev().copied().collect();
        let order: Vec<usize> = (0..shape.len()).rev().collect();
        Ok(Block::from_bytes(dtype, reversed, self.bytes)?.permuted(&order))
    }
}

/// The kind of an array's elements that a file's kind is.
pub(crate) fn dtype_of(kind: Kind) -> Result<DType, Failure> {
    let found = DType::ALL.iter().find(|dtype| dtype.name() == kind.name());
    found.copied().ok_or_else(|| Failure::new(Code::Unsupported, format!("arrays here cannot hold {}", kind.name())))
}

/// And back.
pub(crate) fn kind_of(dtype: DType, method: &str) -> Result<Kind, Failure> {
    Kind::of_name(dtype.name()).ok_or_else(|| {
        let what = format!("{method} cannot write elements of {dtype}");
        Failure::new(Code::Unsupported, what).help("cast them first, for example .cast::<f64>()")
    })
}

/// Which file of a source, and where in it.
#[derive(Serialize, Deserialize)]
struct Piece {
    file: u32,
    place: Place,
}

/// Reads one block.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReadBlock {
    source: Source,
}

impl Operator for ReadBlock {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        ctx.check_cancelled()?;
        Ok(Chunk::new(self.source.read(&ctx.arg()?.decode()?)?))
    }
}

impl NamedOperator for ReadBlock {
    const NAME: &'static str = "read_array_block";
}

/// An array in files, as a step.
pub(crate) struct ReadArray {
    source: Source,
    meta: Meta,
}

impl ReadArray {
    /// An array whose chunks are these.
    pub fn open(source: Source, cuts: Vec<Cuts>, origin: Origin) -> Result<AnyArray, Failure> {
        let located = |failure: Failure| failure.origin(Some(&origin));
        crate::client::found_on_workers(&source.names()).map_err(located)?;
        let meta = Meta { dtype: source.dtype().map_err(located)?, cuts };
        let array = AnyArray::build(Arc::new(Self { source, meta }), Vec::new(), origin.clone());
        array.meta()?;
        Ok(array)
    }

    fn pieces(&self) -> Result<Vec<Piece>, Failure> {
        let is_stack = matches!(self.source, Source::Stack(_) | Source::Images(_));
        let piece = |(at, place): (usize, Place)| match is_stack {
            // Each block is a whole file.
            true => Piece { file: at as u32, place: Place { start: vec![0; place.shape.len()], ..place } },
            false => Piece { file: 0, place },
        };
        Ok(self.meta.places()?.into_iter().enumerate().map(piece).collect())
    }
}

impl Step for ReadArray {
    fn line(&self) -> String {
        format!("{} {}", self.source.method(), shown(self.source.name()))
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(ReadBlock { source: self.source.clone() }, self.line());
        let args = self.pieces()?.iter().map(Arg::encode).collect();
        Ok(lowering.add(Layer::with_args(self.source.method(), op, args, Vec::new()), node))
    }
}

/// The cuts of an array in a file: what the user wishes, or `own`.
pub(crate) fn cuts(shape: &[usize], dtype: DType, wish: Option<Chunks>, own: impl FnOnce() -> Vec<Cuts>) -> Result<Vec<Cuts>, Failure> {
    let lens: Vec<Option<usize>> = shape.iter().copied().map(Some).collect();
    wish.map_or_else(|| Ok(own()), |wish| wish.cut(&lens, dtype, None))
}

/// The array, when its file holds elements of this kind; else the failure with the cast that helps.
pub(crate) fn of_kind<T: Element>(array: AnyArray, method: &str, path: &OsStr, origin: &Origin) -> Result<DArray<T>, Failure> {
    let path = path.to_string_lossy();
    let path = shown(&path);
    of_kind_called(array, &path, &format!("{method}({path:?})"), origin)
}

/// The same where `call` makes it from what is named `path`.
pub(crate) fn of_kind_called<T: Element>(array: AnyArray, path: &str, call: &str, origin: &Origin) -> Result<DArray<T>, Failure> {
    let found = array.dtype()?;
    if found == T::DTYPE {
        return Ok(DArray::of(array));
    }
    let what = format!("`{path}` holds elements of {found}, and {} was asked for", T::DTYPE);
    let help = format!("DArray::<{found}>::{call}?.cast::<{}>()", T::DTYPE);
    Err(Failure::new(Code::TypeMismatch, what).help(help).origin(Some(origin)))
}

/// The failure for an error of `io` that `method` met with an array.
pub(crate) fn array_failure(error: Error, method: &str) -> Failure {
    let file = &error.place().file;
    match error.kind() {
        ErrorKind::UnknownType { what } => {
            let known: Vec<&str> = DType::ALL.iter().map(|dtype| dtype.name()).collect();
            let sentence = format!("`{file}` holds elements of a kind that {method} does not know");
            Failure::new(Code::Unsupported, sentence).detail("kind", what).detail("known", known.join(", "))
        }
        ErrorKind::Group { members } => {
            let failure = Failure::new(Code::IsDirectory, format!("`{file}` is a group of arrays, not one array"));
            match members.first() {
                Some(first) if method == "read_hdf5" => failure
                    .detail("it holds", members.join(", "))
                    .help(format!("name one of them after the group, for example \"…/{first}\"")),
                Some(first) => {
                    failure.detail("it holds", members.join(", ")).help(format!("name one of them: {method}(\"{file}/{first}\")"))
                }
                None => failure,
            }
        }
        ErrorKind::NoSuchArray { name, names } => not_in_file(file, name, names),
        ErrorKind::IsDirectory if method == "read_npy" => {
            Failure::new(Code::IsDirectory, format!("`{file}` is a directory, not a file of NumPy"))
                .help(format!("a stack of files: DArray::read_npy_stack({file:?}); a Zarr array: DArray::read_zarr({file:?})"))
        }
        ErrorKind::IsDirectory if method == "read_images" => {
            Failure::new(Code::IsDirectory, format!("`{file}` is a directory, not an image"))
                .help(format!("say which of its files: DArray::read_images(\"{file}/*.png\")"))
        }
        ErrorKind::SchemaMismatch { first, difference } if method == "read_images" => {
            let what = format!("the image `{file}` is unlike the first one, `{first}`");
            Failure::new(Code::SchemaMismatch, what).detail("difference", difference)
        }
        ErrorKind::OutputExists { example } if method == "to_hdf5" => {
            Failure::new(Code::OutputExists, format!("there is something in `{file}` already"))
                .detail("for example", example)
                .help(".overwrite(true) in the options replaces it; .append(true) keeps the other datasets of a file")
        }
        ErrorKind::OutputExists { example } if method.starts_with("to_npy") => {
            Failure::new(Code::OutputExists, format!("there is something in `{file}` already"))
                .detail("for example", example)
                .help(format!(".{method}(…, true) replaces it; the old one can be read until the new one is complete"))
        }
        ErrorKind::OtherKind { found } => {
            Failure::new(Code::TypeMismatch, format!("the array in `{file}` is of {found}, and other elements are to be written into it"))
                .help(format!(".cast::<{found}>()"))
        }
        ErrorKind::SchemaMismatch { first, difference } => {
            let what = format!("`{file}` does not continue the array that `{first}` begins");
            Failure::new(Code::SchemaMismatch, what).detail("difference", difference)
        }
        _ => file_failure(error, method, None),
    }
}

/// The failure for an array that a file does not have.
fn not_in_file(file: &str, name: &str, names: &[String]) -> Failure {
    let failure = Failure::new(Code::NoSuchFile, format!("`{file}` holds no array `{name}`")).detail("it holds", names.join(", "));
    match nearest(name, &names.iter().map(String::as_str).collect::<Vec<_>>()) {
        Some(near) => failure.detail("did you mean", format!("`{near}`?")),
        None => failure,
    }
}
