//! What can go wrong with bytes and formats, as typed data. This crate knows no task and no user line; those are added above.

use std::fmt;

use crate::shown::shown;

/// Where in a file, object or buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// File or object, as the user would write it, but for secrets in a URL: see [`crate::shown()`].
    pub file: String,
    /// Offset from the start of the (decompressed) file, in bytes.
    pub byte: Option<u64>,
    /// Row from 1, the header counted; known only after [`crate::csv::locate_row`] looked it up.
    pub row: Option<u64>,
    /// Column name.
    pub column: Option<String>,
    /// The cell, at most 80 characters of it.
    pub cell: Option<String>,
}

/// The kinds of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A folder of several arrays where one array was expected.
    Group {
        /// Names in it.
        members: Vec<String>,
    },
    /// A file of several arrays that has none of this name.
    NoSuchArray {
        /// What was looked for.
        name: String,
        /// Names in the file, at most a few.
        names: Vec<String>,
    },
    /// An array of another kind of elements than what is to be written into it.
    OtherKind {
        /// Its kind.
        found: String,
    },
    /// Nothing is there.
    NoSuchFile {
        /// The most similar name in the same folder, if one is near.
        similar: Option<String>,
    },
    /// A directory where a file was expected.
    IsDirectory,
    /// A pattern without a match.
    NoMatch,
    /// The storage refused or broke off; the text is its last answer.
    Unreadable {
        /// The storage's answer.
        answer: String,
    },
    /// Zero bytes in all files.
    EmptyInput,
    /// A header names a column twice.
    DuplicateColumn,
    /// A column that the options name is not in the header.
    ColumnNotFound {
        /// All that are.
        columns: Vec<String>,
    },
    /// An option that cannot be used.
    InvalidOption {
        /// What would be accepted.
        accepted: String,
    },
    /// A cell that does not fit the dtype that the user declared.
    Parse {
        /// The declared type.
        dtype: String,
    },
    /// Cells that do not fit inferred dtypes: each column with the narrowest type that holds what was seen so far.
    WrongInference {
        /// Column name, index into the ladder int64 (0) -> float64 (1) -> string (2), and an offending cell.
        wider: Vec<(String, Wider, String)>,
    },
    /// A row with another number of fields than the header.
    RaggedRow {
        /// Fields expected.
        expected: usize,
        /// Fields found.
        found: usize,
    },
    /// A quote that is never closed.
    UnclosedQuote,
    /// Bytes that are not UTF-8 in a text cell.
    InvalidUtf8,
    /// A file whose header differs from the first file's.
    SchemaMismatch {
        /// The first file.
        first: String,
        /// What differs, in words.
        difference: String,
    },
    /// A block was cut inside a quoted field: plan again with exact cuts.
    WrongCut,
    /// The caller's `cancelled` said so.
    Cancelled,
    /// Compressed data is damaged.
    Corrupt {
        /// The decompressor's words.
        answer: String,
    },
    /// A file does not hold what its format says: cut off, changed, or of another format.
    Damaged {
        /// What was found, or the decoder's words.
        what: String,
    },
    /// A column of a type that this program was not built with.
    UnknownType {
        /// The type, and what is missing.
        what: String,
    },
    /// A record has a key that no sample showed and nobody declared; the column of the place is the key.
    UnknownKey,
    /// There are files where files are to be written.
    OutputExists {
        /// One of them.
        example: String,
    },
    /// The storage refused to write; the text is its last answer.
    Unwritable {
        /// The storage's answer.
        answer: String,
    },
    /// Parts that were written are gone.
    PartsMissing {
        /// Their names, at most a few.
        missing: Vec<String>,
    },
}

impl ErrorKind {
    /// The same without secrets in the texts that name files or repeat what a store answered.
    fn shown(mut self) -> Self {
        let texts: Vec<&mut String> = match &mut self {
            Self::Unreadable { answer: text }
            | Self::Unwritable { answer: text }
            | Self::Corrupt { answer: text }
            | Self::InvalidOption { accepted: text }
            | Self::Damaged { what: text }
            | Self::SchemaMismatch { first: text, .. }
            | Self::OutputExists { example: text } => vec![text],
            Self::NoSuchFile { similar } => similar.iter_mut().collect(),
            Self::PartsMissing { missing } => missing.iter_mut().collect(),
            _ => Vec::new(),
        };
        for text in texts {
            *text = shown(text).into_owned();
        }
        self
    }
}

/// The wider type that a wrongly inferred column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wider {
    /// Integers were inferred, and a fraction came.
    Float64,
    /// Numbers (or booleans) were inferred, and text came.
    String,
}

/// A failure with its place. One word wide.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<(ErrorKind, Place)>);

/// Short for this crate's results.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure in a file.
    pub fn new(kind: ErrorKind, file: impl Into<String>) -> Self {
        Self::at(kind, Place { file: file.into(), ..Place::default() })
    }

    /// A failure at a place. Secrets in URLs are left out here, where all failures pass, and not where they are printed.
    pub fn at(kind: ErrorKind, place: Place) -> Self {
        Self(Box::new((kind.shown(), Place { file: shown(&place.file).into_owned(), ..place })))
    }

    /// The kind.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.0
    }

    /// The place.
    pub fn place(&self) -> &Place {
        &self.0.1
    }

    /// To fill in what was not known where the failure was made.
    pub fn place_mut(&mut self) -> &mut Place {
        &mut self.0.1
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.place())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.kind(), self.place().file)
    }
}

impl std::error::Error for Error {}
