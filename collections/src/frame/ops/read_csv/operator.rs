//! The operator that reads one block.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use partita_graph::{Chunk, Code, Failure, NamedOperator, Operator, TaskContext};
use partita_io::csv::{self, Block, ColumnInfo, Decoded, DecodedColumn, FileInfo, ReadSpec};
use partita_io::{Coded, Error, ErrorKind, Hive};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::failure::{Context, io_failure};
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::value::{Batches, Sink, Stream, chunk_of, joined, uncoded};

/// With a predicate, rows are tested whenever this many bytes are decoded, so that what fails the test never piles up.
const FILTER_BATCH: usize = 2 << 20;

/// Reads a block, tests its rows, keeps the columns of the result.
#[derive(Serialize, Deserialize)]
pub(crate) struct CsvBlock(Arc<Reader>);

/// What all blocks of a reader share.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reader {
    /// Names the reader in advice.
    pub source: u64,
    pub files: Vec<FileInfo>,
    /// Where relative paths begin.
    pub folder: PathBuf,
    pub spec: Arc<ReadSpec>,
    pub predicate: Option<Expr>,
    /// No more rows than these. Who limits the rows of a block takes none of later blocks unless this one has fewer, so it does not matter
    /// that a block that was not read to its end cannot tell whether the next one begins where it should.
    pub limit: Option<u64>,
    /// The columns in the names of folders that the result or the predicate has.
    pub hive: Hive,
    /// The columns of the result, of those that the specification decodes and those in the names of folders.
    pub output: Vec<ColumnInfo>,
}

impl CsvBlock {
    pub fn new(reader: Reader) -> Self {
        Self(Arc::new(reader))
    }
}

impl Reader {
    fn failure(&self, error: Error, block: &Block) -> Failure {
        let file = &self.files[block.file as usize];
        io_failure(error, None, Some(&Context { source: self.source, file, dialect: &self.spec.dialect }))
    }

    /// The files with whole paths, when this process does not run in the folder that relative ones begin in.
    fn files_from_elsewhere(&self) -> Option<Vec<FileInfo>> {
        let here = |file: &FileInfo| file.path.contains("://") || Path::new(&file.path).is_absolute();
        if self.files.iter().all(here) || std::env::current_dir().is_ok_and(|folder| folder == self.folder) {
            return None;
        }
        let whole = |file: &FileInfo| match here(file) {
            true => file.clone(),
            false => FileInfo { path: self.folder.join(&file.path).to_string_lossy().into_owned(), ..file.clone() },
        };
        Some(self.files.iter().map(whole).collect())
    }

    fn each(&self, block: &Block, bytes: usize, cancelled: &dyn Fn() -> bool, sink: Sink<'_>) -> Result<(), Failure> {
        let mut failed = None;
        let elsewhere = self.files_from_elsewhere();
        let scanned = csv::scan(elsewhere.as_deref().unwrap_or(&self.files), block, &self.spec, bytes, cancelled, &mut |decoded| {
            self.in_folders(block, decoded).and_then(&mut *sink).map_err(|failure| {
                failed = Some(failure);
                // Only stops the scan; the failure itself is what counts.
                Error::new(ErrorKind::Cancelled, "")
            })
        });
        match (failed, scanned) {
            (Some(failure), _) => Err(failure),
            (None, scanned) => scanned.map_err(|error| self.failure(error, block)),
        }
    }

    /// What was decoded, and beside it what stands in the names of the file's folders.
    fn in_folders(&self, block: &Block, decoded: Decoded) -> Result<Coded, Failure> {
        let Decoded { rows, mut columns } = decoded;
        let folders = self.hive.columns_of(block.file as usize, rows).map_err(|e| polars_failure(e, None))?;
        columns.extend(folders.into_iter().map(DecodedColumn::Plain));
        Ok(Coded { rows, columns, kept: None })
    }

    fn rows(&self, block: &Block, cancelled: &dyn Fn() -> bool) -> Result<DataFrame, Failure> {
        let output: Vec<Expr> = self.output.iter().map(|column| col(column.name.as_str())).collect();
        let batch = if self.predicate.is_some() || self.limit.is_some() { FILTER_BATCH } else { usize::MAX };
        let mut left = self.limit.map_or(usize::MAX, |rows| usize::try_from(rows).unwrap_or(usize::MAX));
        let mut full = false;
        let fields = self.output.iter().map(|column| (column.name.as_str().into(), column.dtype.clone()));
        let mut kept = vec![DataFrame::empty_with_schema(&fields.collect::<Schema>())];
        let read = self.each(block, batch, cancelled, &mut |batch| {
            let mut rows = uncoded(batch)?;
            if let Some(predicate) = &self.predicate {
                let tested = rows.lazy().filter(predicate.clone()).select(output.clone()).collect();
                rows = tested.map_err(|e| polars_failure(e, None))?;
            }
            rows = if rows.height() > left { rows.head(Some(left)) } else { rows };
            left -= rows.height();
            if rows.height() > 0 {
                kept.push(rows);
            }
            full = left == 0;
            // Only stops the scan.
            if full { Err(Failure::new(Code::Cancelled, "enough rows were read")) } else { Ok(()) }
        });
        if !full {
            read?;
        }
        if kept.len() > 1 {
            kept.remove(0);
        }
        let rows = joined(kept)?;
        if full { compact(rows) } else { Ok(rows) }
    }
}

/// A block that is read while it is used.
struct BlockStream {
    reader: Arc<Reader>,
    block: Block,
}

impl Batches for BlockStream {
    fn each(&self, bytes: usize, cancelled: &dyn Fn() -> bool, sink: Sink<'_>) -> Result<(), Failure> {
        self.reader.each(&self.block, bytes, cancelled, sink)
    }
}

impl Operator for CsvBlock {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        let block: Block = ctx.arg()?.decode()?;
        if self.0.spec.fields.iter().any(|field| field.as_codes) {
            return Ok(Chunk::new(Stream(Box::new(BlockStream { reader: self.0.clone(), block }))));
        }
        self.0.rows(&block, &|| ctx.cancelled.load(Ordering::Relaxed)).map(chunk_of)
    }
}

impl NamedOperator for CsvBlock {
    const NAME: &'static str = "read_csv";
}
