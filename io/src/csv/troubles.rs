//! What did not fit, gathered over the columns of a window until it is an error. It refuses to know how cells are found.
//!
//! The invariant: of all that went wrong, the lowest byte decides the kind of error, so the order of columns does not.

use super::columns::Trouble;
use super::records::Flaw;
use super::{Field, ReadSpec, number::Number};
use crate::error::{Error, ErrorKind, Place, Result, Wider};
use polars::prelude::DataType;

/// Characters of a cell that an error shows.
const SHOWN: usize = 80;

/// What went wrong so far.
pub(super) struct Troubles {
    /// For each field, when it was inferred and a cell did not fit.
    conflicts: Vec<Option<Conflict>>,
    /// The first that no wider type would help.
    flaw: Option<Error>,
}

#[derive(Clone)]
struct Conflict {
    /// The first misfit.
    byte: u64,
    first: String,
    /// The narrowest type for all misfits, and one that needs it.
    wider: Wider,
    cell: String,
}

impl Troubles {
    /// Nothing yet.
    pub fn new(fields: usize) -> Self {
        Self { conflicts: vec![None; fields], flaw: None }
    }

    /// Notes a cell. `byte` is its place in the file.
    pub fn cell(&mut self, index: usize, field: &Field, byte: u64, text: &[u8], trouble: Trouble) {
        let kind = match trouble {
            Trouble::NotUtf8 => ErrorKind::InvalidUtf8,
            Trouble::Misfit if field.declared => ErrorKind::Parse { dtype: field.dtype.to_string() },
            Trouble::Misfit => return self.conflict(index, byte, needed(&field.dtype, text), text),
        };
        let (column, cell) = (Some(field.name.clone()), Some(shown(text)));
        self.note(Error::at(kind, Place { byte: Some(byte), column, cell, ..Place::default() }));
    }

    /// Notes what ended a window that starts at `offset`.
    pub fn flawed(&mut self, flaw: Flaw, offset: u64, width: usize) {
        let (kind, start) = match flaw {
            Flaw::Ragged { start, found } => (ErrorKind::RaggedRow { expected: width.max(1), found }, start),
            Flaw::Unclosed { start } => (ErrorKind::UnclosedQuote, start),
        };
        self.note(Error::at(kind, Place { byte: Some(offset + start as u64), ..Place::default() }));
    }

    fn note(&mut self, error: Error) {
        if self.flaw.as_ref().is_none_or(|known| error.place().byte < known.place().byte) {
            self.flaw = Some(error);
        }
    }

    fn conflict(&mut self, index: usize, byte: u64, wider: Wider, text: &[u8]) {
        match &mut self.conflicts[index] {
            Some(known) if wider > known.wider => (known.wider, known.cell) = (wider, shown(text)),
            Some(_) => {}
            none => *none = Some(Conflict { byte, first: shown(text), wider, cell: shown(text) }),
        }
    }

    /// Fails if something came that no wider type helps (with the wrong inference, if that came before it).
    pub fn hard(&mut self, spec: &ReadSpec) -> Result<()> {
        let Some(flaw) = self.flaw.take() else { return Ok(()) };
        let first = self.conflicts.iter().flatten().map(|conflict| conflict.byte).min();
        if first.is_some_and(|first| Some(first) < flaw.place().byte) {
            self.soft(spec)?;
        }
        Err(flaw)
    }

    /// Fails if an inferred type does not hold all cells.
    pub fn soft(&mut self, spec: &ReadSpec) -> Result<()> {
        let named = || spec.fields.iter().zip(&self.conflicts).filter_map(|(field, conflict)| Some((&field.name, conflict.as_ref()?)));
        let Some((column, first)) = named().min_by_key(|(_, conflict)| conflict.byte) else { return Ok(()) };
        let wider = named().map(|(name, conflict)| (name.clone(), conflict.wider, conflict.cell.clone())).collect();
        let (column, cell) = (Some(column.clone()), Some(first.first.clone()));
        Err(Error::at(ErrorKind::WrongInference { wider }, Place { byte: Some(first.byte), column, cell, ..Place::default() }))
    }
}

/// The type that a column inferred as `dtype` needs for a cell with this text.
pub(super) fn needed(dtype: &DataType, text: &[u8]) -> Wider {
    if dtype.is_integer() && f64::thorough(text).is_some() { Wider::Float64 } else { Wider::String }
}

/// The start of a cell, for people.
pub(super) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(SHOWN).collect()
}
