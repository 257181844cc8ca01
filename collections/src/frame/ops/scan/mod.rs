//! The reader of files that describe themselves or are looked at once (Parquet, Arrow, JSON lines), as a step. CSV has its own.
//!
//! It refuses to know formats: a [`FileTable`] says what is in the files and what a task needs. Invariant: which pieces make a partition does
//! not depend on what is read, only pieces in which no row can pass the predicate are left out.
//!
//! ```
//! use partita::prelude::*;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("numbers");
//! DFrame::from_polars(df!("x" => [1, 2, 3])?, 3).to_parquet(&path, ParquetWriteOptions::new())?;
//! // Of three files only one can have such a row, so only that one is read.
//! assert_eq!(DFrame::read_parquet(&path)?.filter(col("x").gt(lit(2))).compute()?, df!("x" => [3])?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod first;
mod in_turn;
mod operator;
pub(crate) mod prune;
mod sample;

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_graph::{Arg, Failure, Layer, Origin};
use partita_io::{Error, FileTable, Room};
use polars::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::frame::expr::{Names, columns_of, expr_op, on_polars_thread, show_one};
use crate::frame::files::file_failure;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::replan::Change;
use crate::frame::selectivity::{self, Facts};
use crate::frame::short_lists::spelled_out;
use crate::frame::size::Size;
use crate::frame::sort::order::First;
use crate::frame::{Admission, DFrame, Node, Step, ops};

pub(crate) use operator::ReadFiles;
use operator::{Reader, Work};
use sample::Samples;

/// Opens files as a frame; `method` is the user's call.
#[track_caller]
pub(crate) fn open(
    method: &str,
    patterns: &[String],
    options: &impl std::fmt::Debug,
    open: impl FnOnce(Room) -> Result<Arc<dyn FileTable>, Error>,
) -> Result<DFrame, Failure> {
    let origin = Origin::here(&format!("{method}(…)"));
    let room = Room { threads: crate::client::planned_threads(), memory: crate::client::planned_memory() };
    let table = open(room).map_err(|error| file_failure(error, method, None).origin(Some(&origin)))?;
    crate::client::found_on_workers(&table.files()).map_err(|failure| failure.origin(Some(&origin)))?;
    let source = xxh3_64(format!("{method} {patterns:?} {options:?}").as_bytes());
    Ok(DFrame::build(Arc::new(Scan::new(source, table)), Vec::new(), origin))
}

/// The reader.
#[derive(Clone)]
pub(crate) struct Scan {
    /// Names this reader in advice from its tasks.
    source: u64,
    table: Arc<dyn FileTable>,
    /// The columns of the result, in the order of the table.
    columns: Vec<PlSmallStr>,
    predicate: Option<Expr>,
    /// Which share of the rows that are read are likely to pass the predicate.
    share: f64,
    /// No more rows of each partition than these.
    limit: Option<u64>,
    /// Nobody looks at the values: only rows are counted, and nothing is read.
    counted: bool,
    /// For each partition the pieces in which rows can pass the predicate.
    partitions: Arc<[Vec<u32>]>,
    /// Rows that the planner looked at.
    samples: Arc<Samples>,
}

impl Scan {
    fn new(source: u64, table: Arc<dyn FileTable>) -> Self {
        let columns = table.schema().iter_names().cloned().collect();
        let partitions = table.partitions().iter().map(|pieces| pieces.clone().collect()).collect();
        Self { source, table, columns, predicate: None, share: 1.0, limit: None, counted: false, partitions, samples: Arc::default() }
    }

    /// The columns that are read: those of the result and those of the predicate.
    fn read(&self) -> Vec<PlSmallStr> {
        let tested = self.predicate.as_ref().map(columns_of).unwrap_or_default();
        self.table.schema().iter_names().filter(|name| tested.contains(*name) || self.columns.contains(name)).cloned().collect()
    }

    /// The layer that reads, with these text columns as codes; `waits` until its partitions are used.
    fn layer(&self, codes: Vec<PlSmallStr>, waits: bool) -> Layer {
        let format = self.table.format();
        let read = self.read();
        let operator = ReadFiles::new(Reader {
            source: self.source,
            method: format!("read_{format}"),
            recipe: self.table.recipe(&read),
            predicates: self.predicates(),
            limit: self.limit,
            codes,
            waits,
            output: self.fields(),
        });
        let work = |pieces: &Vec<u32>| match self.counted {
            true => Work::Count(self.within_limit(pieces.iter().filter_map(|piece| self.table.rows(*piece)).sum())),
            false => Work::Read(pieces.iter().map(|piece| self.table.piece(*piece, &read)).collect()),
        };
        let args = self.partitions.iter().map(|pieces| Arg::encode(&work(pieces))).collect();
        let op = expr_op(operator, self.line(), ops::token());
        Layer::with_args(format!("read_{format}"), op, args, Vec::new())
    }

    /// The parts of the predicate in the order in which tasks ask them.
    fn predicates(&self) -> Vec<Expr> {
        let Some(predicate) = &self.predicate else { return Vec::new() };
        let schema = self.table.schema();
        let parts = in_turn::parts(predicate, schema, &|part| self.share_of(part, &self.partitions));
        parts.into_iter().map(|part| spelled_out(part, schema)).collect()
    }

    fn fields(&self) -> Vec<(PlSmallStr, DataType)> {
        let schema = self.table.schema();
        self.columns.iter().filter_map(|name| Some((name.clone(), schema.get(name)?.clone()))).collect()
    }

    /// Which share of the rows of some partitions passes a predicate.
    fn share_of(&self, predicate: &Expr, partitions: &[Vec<u32>]) -> f64 {
        let known = columns_of(predicate).into_iter().map(|name| {
            let bounds = prune::bounds(&name, &*self.table, partitions);
            let step = self.table.schema().get(&name).map_or(0.0, selectivity::step);
            (name.clone(), Facts { bounds, step, values: prune::values(&name, &*self.table) })
        });
        let known: BTreeMap<PlSmallStr, Facts> = known.collect();
        selectivity::share(predicate, &|name| known.get(name).copied().unwrap_or_default())
    }

    /// What is left of so many rows of a partition.
    fn within_limit(&self, rows: u64) -> u64 {
        self.limit.map_or(rows, |limit| limit.min(rows))
    }

    /// The pieces of a partition that hold its first rows, by what is known of them; at least one, so that the partition stays.
    fn first_pieces(&self, pieces: &[u32], rows: u64) -> Vec<u32> {
        let mut before = 0u64;
        let needed = pieces.iter().copied().take_while(|piece| {
            let needed = before < rows.max(1);
            before = before.saturating_add(self.table.rows(*piece).unwrap_or(0));
            needed
        });
        needed.collect()
    }

    /// The rows of the partitions, where they are known.
    fn known_rows(&self) -> Option<u64> {
        self.partitions.iter().map(|pieces| self.rows_of(pieces)).sum()
    }

    /// The rows of a partition, where they are known.
    fn rows_of(&self, pieces: &[u32]) -> Option<u64> {
        let all = pieces.iter().map(|piece| self.table.rows(*piece)).sum::<Option<u64>>()?;
        Some(self.within_limit(all))
    }

    fn pieces(&self) -> usize {
        self.partitions.iter().map(Vec::len).sum()
    }
}

impl Step for Scan {
    fn line(&self) -> String {
        let files = self.table.files();
        let named = match files.as_slice() {
            [file] => partita_io::shown(file).into_owned(),
            files => format!("{} files", files.len()),
        };
        let read = if self.counted { 0 } else { self.read().len() };
        let columns = format!("{read} of {} columns", self.table.schema().len());
        let all = self.table.partitions().iter().map(|pieces| pieces.len()).sum::<usize>();
        let pieces = if self.pieces() == all { String::new() } else { format!(", {} of {all} pieces", self.pieces()) };
        let filter = self.predicate.as_ref().map_or(String::new(), |p| format!(", where {}", show_one(p)));
        let limit = self.limit.map_or(String::new(), |rows| format!(", at most {rows} rows of each partition"));
        format!("read_{} {named}, {columns}{pieces}{filter}{limit}", self.table.format())
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(Arc::new(self.fields().into_iter().collect()))
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let mut columns: Vec<PlSmallStr> = self.columns.iter().filter(|name| wanted.contains(*name)).cloned().collect();
        let mut counted = false;
        if columns.is_empty() {
            let tested = self.predicate.as_ref().map(columns_of).unwrap_or_default();
            let read = self.columns.iter().find(|name| tested.contains(*name));
            columns.push(read.cloned().unwrap_or_else(|| self.table.cheapest()));
            let known = |piece: &u32| self.table.rows(*piece).is_some();
            counted = self.predicate.is_none() && self.partitions.iter().flatten().all(known);
        }
        let narrower = columns.len() < self.columns.len() || counted;
        narrower.then(|| Arc::new(Self { columns, counted, ..self.clone() }) as Arc<dyn Step>)
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        // What is limited already has rows of its own, and a filter would be another one before the limit.
        if self.limit.is_some() || columns_of(predicate).is_empty() || (self.predicate.is_some() && node.can_fail(predicate)) {
            return Admission::Stop;
        }
        let both = match &self.predicate {
            Some(first) => first.clone().and(predicate.clone()),
            None => predicate.clone(),
        };
        let partitions = prune::prune(&self.partitions, predicate, &*self.table);
        let share = self.share_of(&both, &partitions);
        Admission::Absorb(Arc::new(Self { predicate: Some(both), share, partitions, ..self.clone() }))
    }

    fn rows(&self, _: &[Option<u64>]) -> Option<u64> {
        match self.predicate {
            Some(_) => None,
            None => self.known_rows(),
        }
    }

    fn first_by(&self, by: &First, rows: u64) -> Option<Arc<dyn Step>> {
        if self.predicate.is_some() || self.limit.is_some() {
            // Which rows there will be is not known.
            return None;
        }
        let partitions = first::prune(&self.partitions, by, rows, &*self.table)?;
        Some(Arc::new(Self { partitions, ..self.clone() }))
    }

    fn limited(&self, rows: u64, of_all: bool) -> Option<Arc<dyn Step>> {
        let limit = Some(self.limit.map_or(rows, |limit| limit.min(rows)));
        let mut before = 0u64;
        let first = |pieces: &Vec<u32>| {
            let needed = if of_all { rows.max(1).saturating_sub(before) } else { rows.max(1) };
            before = before.saturating_add(self.rows_of(pieces).unwrap_or(0));
            // What comes after enough rows stays as a partition without any.
            if needed == 0 { Vec::new() } else { self.first_pieces(pieces, needed) }
        };
        let partitions = match self.predicate {
            Some(_) => self.partitions.clone(),
            None => self.partitions.iter().map(first).collect(),
        };
        Some(Arc::new(Self { limit, partitions, ..self.clone() }))
    }

    fn size(&self, _: &[Option<Size>], node: &Node) -> Option<Size> {
        let pieces = || self.partitions.iter().flatten();
        let rows = match (self.known_rows(), self.limit) {
            (Some(rows), _) => rows,
            (None, Some(limit)) => limit.saturating_mul(self.partitions.len() as u64),
            (None, None) => Size::of_bytes(pieces().map(|piece| self.table.bytes(*piece)).sum(), self.table.schema()).rows,
        };
        Some(Size::of_rows(selectivity::kept(rows, self.share), node.schema.as_ref().ok()?))
    }

    fn whole(&self) -> Option<u64> {
        let pieces = || self.table.partitions().iter().cloned().flatten();
        let counted = pieces().map(|piece| self.table.rows(piece)).sum::<Option<u64>>();
        counted.or_else(|| Some(Size::of_bytes(pieces().map(|piece| self.table.bytes(piece)).sum(), self.table.schema()).rows))
    }

    fn key_bounds(&self, column: &PlSmallStr) -> Option<Vec<(i64, i64)>> {
        prune::ranges(column, &*self.table, &self.partitions)
    }

    fn different(&self, column: &PlSmallStr) -> Option<u64> {
        prune::values(column, &*self.table)
    }

    fn sampled_rows(&self, columns: &Names) -> Option<DataFrame> {
        let tested = self.predicate.as_ref().map(columns_of).unwrap_or_default();
        let schema = self.table.schema();
        let read = schema.iter_names().filter(|name| columns.contains(*name) || tested.contains(*name)).cloned().collect();
        let pieces: Vec<u32> = self.partitions.iter().flatten().copied().collect();
        let rows = self.samples.of(&*self.table, read, &pieces)?;
        let Some(predicate) = self.predicate.clone() else { return Some(rows) };
        on_polars_thread(|| rows.lazy().filter(spelled_out(predicate, schema)).collect()).ok()
    }

    fn coded_layer(&self, keys: &Names, alone: bool) -> Option<Layer> {
        let listed = |key: &PlSmallStr| self.columns.contains(key) && self.table.lists_few(key);
        let all = alone && self.limit.is_none() && !self.counted && keys.iter().all(listed);
        all.then(|| self.layer(keys.iter().cloned().collect(), true))
    }

    fn waiting_layer(&self, keys: &Names) -> Option<Layer> {
        let others = self.columns.iter().any(|name| !keys.contains(name));
        let may = others && self.table.reads_columns_apart() && self.limit.is_none() && !self.counted;
        may.then(|| self.layer(Vec::new(), true))
    }

    fn replan(&self, source: u64, change: &Change) -> Option<Arc<dyn Step>> {
        match change {
            Change::Widen(types) if source == self.source => {
                let table = self.table.widened(types)?;
                Some(Arc::new(Self { table, samples: Arc::default(), ..self.clone() }))
            }
            Change::Widen(_) | Change::ExactCuts => None,
        }
    }

    fn lower(&self, _: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        if self.partitions.is_empty() {
            let schema = self.schema(&[])?;
            let empty = DataFrame::empty_with_schema(&schema);
            return Ok(lowering.add(ops::from_polars::layer(&[(ops::token(), empty)]), node));
        }
        Ok(lowering.add(self.layer(Vec::new(), false), node))
    }
}
