//! The operator that reads one block.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use partita_io::csv::{self, Block, ColumnInfo, Decoded, DecodedColumn, FileInfo, ReadSpec};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::failure::{Context, io_failure};
use crate::frame::expr::polars_failure;
use crate::frame::value::{Coded, CodedColumn, chunk_of};

/// With a predicate, rows are tested whenever this many bytes are decoded, so that what fails the test never piles up.
const FILTER_BATCH: usize = 2 << 20;

/// Reads a block, tests its rows, keeps the columns of the result.
#[derive(Serialize, Deserialize)]
pub(crate) struct CsvBlock {
    source: u64,
    files: Vec<FileInfo>,
    spec: Arc<ReadSpec>,
    predicate: Option<Expr>,
    output: Vec<String>,
    /// All columns of the table with their types, for messages and advice.
    columns: Vec<ColumnInfo>,
}

impl CsvBlock {
    pub fn new(
        source: u64,
        files: Vec<FileInfo>,
        spec: ReadSpec,
        predicate: Option<Expr>,
        output: Vec<String>,
        columns: Vec<ColumnInfo>,
    ) -> Self {
        Self { source, files, spec: Arc::new(spec), predicate, output, columns }
    }

    fn failure(&self, error: partita_io::Error, block: &Block) -> Failure {
        let file = &self.files[block.file as usize];
        io_failure(error, None, Some(&Context { source: self.source, file, dialect: &self.spec.dialect }))
    }

    fn whole(&self, ctx: &TaskContext<'_>, block: &Block) -> Result<Chunk, Failure> {
        let mut batches: Vec<Decoded> = Vec::new();
        self.scan(ctx, block, usize::MAX, &mut |decoded| {
            batches.push(decoded);
            Ok(())
        })?;
        match batches.len() {
            1 => Ok(Chunk::new(coded(batches.remove(0)))),
            _ => self.joined(batches.into_iter().map(|batch| coded(batch).to_frame()).collect::<Result<_, _>>()?),
        }
    }

    fn filtered(&self, ctx: &TaskContext<'_>, block: &Block, predicate: &Expr) -> Result<Chunk, Failure> {
        let mut kept = Vec::new();
        let mut failed = None;
        let output: Vec<Expr> = self.output.iter().map(|name| col(name.as_str())).collect();
        self.scan(ctx, block, FILTER_BATCH, &mut |decoded| {
            let tested = coded(decoded).to_frame().and_then(|frame| {
                let rows = frame.lazy().filter(predicate.clone()).select(output.clone()).collect();
                rows.map_err(|e| polars_failure(e, None))
            });
            match tested {
                Ok(rows) if rows.height() > 0 => kept.push(rows),
                Ok(_) => {}
                Err(failure) => failed = Some(failure),
            }
            Ok(())
        })?;
        match failed {
            Some(failure) => Err(failure),
            None => self.joined(kept),
        }
    }

    fn scan(
        &self,
        ctx: &TaskContext<'_>,
        block: &Block,
        batch: usize,
        sink: &mut dyn FnMut(Decoded) -> Result<(), partita_io::Error>,
    ) -> Result<(), Failure> {
        let cancelled = || ctx.cancelled.load(Ordering::Relaxed);
        csv::scan(&self.files, block, &self.spec, batch, &cancelled, sink).map_err(|e| self.failure(e, block))?;
        ctx.check_cancelled()
    }

    fn joined(&self, frames: Vec<DataFrame>) -> Result<Chunk, Failure> {
        if frames.is_empty() {
            let dtype = |name: &String| self.columns.iter().find(|c| c.name == *name).map(|c| c.dtype.clone());
            let fields = self.output.iter().map(|name| (name.as_str().into(), dtype(name).unwrap_or(DataType::Null)));
            return Ok(chunk_of(DataFrame::empty_with_schema(&fields.collect::<Schema>())));
        }
        let mut frames = frames.into_iter();
        let mut all = frames.next().unwrap_or_default();
        for frame in frames {
            all.vstack_mut(&frame).map_err(|e| polars_failure(e, None))?;
        }
        all.rechunk_mut();
        Ok(chunk_of(all))
    }
}

fn coded(decoded: Decoded) -> Coded {
    let column = |column: DecodedColumn| match column {
        DecodedColumn::Plain(column) => CodedColumn::Plain(column),
        DecodedColumn::Codes(codes) => CodedColumn::Codes(codes),
    };
    Coded { rows: decoded.rows, columns: decoded.columns.into_iter().map(column).collect() }
}

impl Operator for CsvBlock {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        let block: Block = ctx.arg()?.decode()?;
        match &self.predicate {
            None => self.whole(ctx, &block),
            Some(predicate) => self.filtered(ctx, &block, predicate),
        }
    }
}

impl NamedOperator for CsvBlock {
    const NAME: &'static str = "read_csv";
}
