//! The operator that reads one partition.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use partita_io::{Coded, Error, ErrorKind, Piece, Recipe, Test};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, columns_of, polars_failure};
use crate::frame::files::file_failure;
use crate::frame::passing::passing;
use crate::frame::value::{Batches, Sink, Stream, chunk_of, joined};

/// Reads the pieces of a partition, tests their rows, keeps the columns of the result.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReadFiles(Arc<Reader>);

/// What all partitions of a reader share.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reader {
    /// Names the reader in advice.
    pub source: u64,
    /// The user's call, for failures.
    pub method: String,
    pub recipe: Recipe,
    /// What rows must pass, in the order in which it is asked.
    pub predicates: Vec<Expr>,
    /// No more rows of each partition than these.
    pub limit: Option<u64>,
    /// Text columns that are wanted as codes.
    pub codes: Vec<PlSmallStr>,
    /// Whether partitions are read by the step that uses them.
    pub waits: bool,
    /// The columns of the result, of those that the recipe reads.
    pub output: Vec<(PlSmallStr, DataType)>,
}

/// Why a predicate has no answer.
type Failed = Arc<Mutex<Option<Failure>>>;

/// What one task does.
#[derive(Serialize, Deserialize)]
pub(crate) enum Work {
    /// Reads these pieces.
    Read(Vec<Piece>),
    /// Makes so many rows, whose values nobody looks at.
    Count(u64),
}

impl ReadFiles {
    pub fn new(reader: Reader) -> Self {
        Self(Arc::new(reader))
    }
}

impl Reader {
    /// The rows that pass the predicates, and then one more test.
    fn rows(&self, pieces: &[Piece], more: Option<Test>, stop: &dyn Fn() -> bool) -> Result<DataFrame, Failure> {
        let names: Vec<PlSmallStr> = self.output.iter().map(|(name, _)| name.clone()).collect();
        let failed = Failed::default();
        let tests: Vec<Test> = self.tests(&failed).into_iter().chain(more).collect();
        let mut kept = Vec::with_capacity(pieces.len());
        let mut left = self.limit.unwrap_or(u64::MAX);
        for piece in pieces {
            if left == 0 {
                break;
            }
            let rows = self.answered(&failed, self.recipe.read_first(piece, left, &tests, stop))?;
            left -= rows.height() as u64;
            if rows.height() > 0 {
                kept.push(rows.select(names.iter().cloned()).map_err(|e| polars_failure(e, None))?);
            }
        }
        if kept.is_empty() {
            return Ok(DataFrame::empty_with_schema(&self.output.iter().cloned().collect::<Schema>()));
        }
        joined(kept)
    }

    fn answered<T>(&self, failed: &Failed, read: Result<T, Error>) -> Result<T, Failure> {
        // What a test refused among listed values is no reason for what is found wrong in the file afterwards.
        let of_test = |error: &Error| match error.kind() {
            ErrorKind::Cancelled => failed.lock().unwrap_or_else(PoisonError::into_inner).take(),
            _ => None,
        };
        read.map_err(|error| of_test(&error).unwrap_or_else(|| file_failure(error, &self.method, Some(self.source))))
    }

    /// The predicates as a reader asks them. `failed` holds why the last answer was none.
    fn tests(&self, failed: &Failed) -> Vec<Test> {
        let columns: Vec<Names> = self.predicates.iter().map(columns_of).collect();
        let needed_after = |at: usize, name: &PlSmallStr| {
            columns[at + 1..].iter().any(|later| later.contains(name)) || self.output.iter().any(|(output, _)| output == name)
        };
        let test = |(at, predicate): (usize, &Expr)| {
            let (predicate, failed) = (predicate.clone(), failed.clone());
            let keep = move |frame: &DataFrame| {
                let (mask, failure) = match mask(frame, &predicate) {
                    Ok(mask) => (Some(mask), None),
                    Err(error) => (None, Some(polars_failure(error, None))),
                };
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = failure;
                mask
            };
            let spent = columns[at].iter().filter(|name| !needed_after(at, name)).cloned().collect();
            Test { columns: columns[at].iter().cloned().collect(), keep: Arc::new(keep), spent }
        };
        self.predicates.iter().enumerate().map(test).collect()
    }

    fn counted(&self, rows: u64) -> Result<DataFrame, Failure> {
        let rows = usize::try_from(rows).map_err(|_| Failure::internal("more rows in a partition than can be counted"))?;
        let columns = self.output.iter().map(|(name, dtype)| Series::full_null(name.clone(), rows, dtype).into_column());
        DataFrame::new(rows, columns.collect()).map_err(|e| polars_failure(e, None))
    }
}

/// Pieces that are read while they are used.
struct PieceStream {
    reader: Arc<Reader>,
    pieces: Vec<Piece>,
}

impl Batches for PieceStream {
    fn each(&self, _: usize, cancelled: &dyn Fn() -> bool, sink: Sink<'_>) -> Result<(), Failure> {
        let Self { reader, pieces } = self;
        let failed = Failed::default();
        let tests = reader.tests(&failed);
        if pieces.is_empty() {
            return sink(Coded::from(reader.rows(&[], None, cancelled)?));
        }
        pieces.iter().try_for_each(|piece| {
            let read = reader.recipe.read_coded(piece, &reader.codes, &tests, cancelled);
            sink(reader.answered(&failed, read)?)
        })
    }

    fn passing(&self, test: Test, cancelled: &dyn Fn() -> bool) -> Option<Result<DataFrame, Failure>> {
        Some(self.reader.rows(&self.pieces, Some(test), cancelled))
    }
}

/// The rows for which a predicate is true.
fn mask(frame: &DataFrame, predicate: &Expr) -> PolarsResult<BooleanChunked> {
    if let Some(bits) = passing(frame, predicate) {
        return Ok(BooleanChunked::from_bitmap("keep".into(), bits));
    }
    let answer = frame.clone().lazy().select([predicate.clone().alias("keep")]).collect()?;
    let mask = answer.column("keep")?.bool()?.clone();
    Ok(if mask.len() == frame.height() { mask } else { mask.new_from_index(0, frame.height()) })
}

impl Operator for ReadFiles {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        let work: Work = ctx.arg()?.decode()?;
        let rows = match work {
            Work::Count(rows) => self.0.counted(rows)?,
            Work::Read(pieces) if self.0.waits => {
                return Ok(Chunk::new(Stream(Box::new(PieceStream { reader: self.0.clone(), pieces }))));
            }
            Work::Read(pieces) => self.0.rows(&pieces, None, &|| ctx.cancelled.load(Ordering::Relaxed))?,
        };
        Ok(chunk_of(rows))
    }
}

impl NamedOperator for ReadFiles {
    const NAME: &'static str = "read_files";
}
