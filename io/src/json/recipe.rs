//! Reading one block of JSON lines.
//!
//! It refuses to guess: the types were guessed before. Invariant: the frame has the columns of the recipe in its order and a row for each
//! line; a type that was guessed too narrow is an error that names all such columns of the block.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, PlSmallStr, Series};
use serde::{Deserialize, Serialize};

use super::cells::{Cells, Columns, Refusal};
use super::lines::{Block, each_line};
use crate::compress::Compression;
use crate::damage::damaged;
use crate::error::{Error, ErrorKind, Place, Result};
use crate::hive::Hive;
use crate::source::Source;
use crate::table::{Located, Origin, cancelled};

/// Lines between two questions whether anybody still wants the rows.
const LINES: usize = 1024;

/// What all tasks of a reader share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(super) files: Vec<(Located, Compression)>,
    /// All keys that the files may have.
    pub(super) known: Vec<PlSmallStr>,
    /// The wanted columns that stand in files.
    pub(super) own: Vec<Wanted>,
    pub(super) origins: Vec<Origin>,
    pub(super) hive: Hive,
}

/// A wanted column of the files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) name: PlSmallStr,
    pub(super) dtype: DataType,
    /// A value that does not fit is then an error, never a wider column.
    pub(super) declared: bool,
}

/// One block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Piece(pub(super) Block);

impl Recipe {
    pub(crate) fn read(&self, piece: &Piece, most: u64, stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        let block = &piece.0;
        let (at, compression) = &self.files[block.file as usize];
        let cells = self.own.iter().map(|wanted| Cells::new(wanted.name.clone(), wanted.dtype.clone())).collect();
        let mut columns = Columns::new(cells, &self.known);
        // For a few lines a store is not asked for the whole block ahead.
        let likely = if most == u64::MAX { block.end } else { block.start };
        let mut source = Source::open(&at.path, at.size, *compression, block.start..likely)?;
        each_line(&mut source, block, |byte, line| {
            if columns.lines().is_multiple_of(LINES) && stop() {
                return Err(cancelled());
            }
            if columns.lines() as u64 >= most {
                return Ok(false);
            }
            columns.push(line).map_err(|(error, refusal)| refused(&at.path, byte, &error, refusal))?;
            self.declared_fit(&columns, &at.path, byte)?;
            Ok((columns.lines() as u64) < most)
        })?;
        self.frame(columns, block.file as usize, &at.path)
    }

    /// Declared types are checked line by line, so that the place is known.
    fn declared_fit(&self, columns: &Columns, file: &str, byte: u64) -> Result<()> {
        for (wanted, cells) in self.own.iter().zip(&columns.cells) {
            let cell = match (&cells.wider, &cells.unfit) {
                (Some((_, cell)), _) if wanted.declared => cell,
                (_, Some(cell)) => cell,
                _ => continue,
            };
            return Err(misfit(wanted, file, Some(byte), Some(cell.clone())));
        }
        Ok(())
    }

    fn frame(&self, columns: Columns, file: usize, path: &str) -> Result<DataFrame> {
        let wider = columns.cells.iter().filter_map(|cells| {
            let (wider, cell) = cells.wider.as_ref()?;
            Some((cells.name().to_owned(), *wider, cell.clone()))
        });
        let wider: Vec<_> = wider.collect();
        if !wider.is_empty() {
            return Err(Error::new(ErrorKind::WrongInference { wider }, path));
        }
        let rows = columns.lines();
        let finish = |(wanted, cells): (&Wanted, Cells)| cells.finish().map_err(|_| misfit(wanted, path, None, None));
        let own: Vec<Series> = self.own.iter().zip(columns.cells).map(finish).collect::<Result<_>>()?;
        let column = |origin: &Origin| match *origin {
            Origin::File(place) => Ok(own[place as usize].clone().into_column()),
            Origin::Folders(place) => self.hive.column(file, place as usize, rows),
        };
        let all = self.origins.iter().map(column).collect::<polars::prelude::PolarsResult<Vec<Column>>>();
        all.and_then(|all| DataFrame::new(rows, all)).map_err(|error| damaged(path, None, error.to_string()))
    }
}

fn misfit(wanted: &Wanted, file: &str, byte: Option<u64>, cell: Option<String>) -> Error {
    let place = Place { file: file.to_owned(), byte, row: None, column: Some(wanted.name.to_string()), cell };
    Error::at(ErrorKind::Parse { dtype: wanted.dtype.to_string() }, place)
}

fn refused(file: &str, byte: u64, error: &serde_json::Error, refusal: Option<Refusal>) -> Error {
    let (kind, column) = match refusal {
        Some(Refusal::UnknownKey(key)) => (ErrorKind::UnknownKey, Some(String::from(key))),
        Some(Refusal::Twice(key)) => (ErrorKind::DuplicateColumn, Some(String::from(key))),
        None => {
            // Within the line; the parser counts columns from 1.
            let at = byte + (error.column() as u64).saturating_sub(1);
            return damaged(file, Some(at), format!("a line is no JSON object: {error}"));
        }
    };
    Error::at(kind, Place { file: file.to_owned(), byte: Some(byte), column, ..Place::default() })
}
