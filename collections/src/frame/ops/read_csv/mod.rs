//! `read_csv`: CSV files as a frame. What is looked at before anything runs, and what the reader takes in from the steps above it.

mod failure;
mod operator;

use std::sync::Arc;

use partita_graph::{Arg, Failure, Layer};
use partita_io::csv::{self, Block, ColumnInfo, CsvOptions, Field, FileInfo, ReadSpec, Table};
use partita_io::shown;
use polars::prelude::*;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::frame::expr::{Names, columns_of, expr_op, on_polars_thread, show_one};
use crate::frame::groupby::estimate;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::replan::Change;
use crate::frame::size::Size;
use crate::frame::{Admission, DFrame, Node, Step, ops};

pub(crate) use failure::{io_failure, word};
pub(crate) use operator::CsvBlock;
use operator::Reader;

/// One pattern or path, or several: `"data/*.csv"`, `["a.csv", "b.csv"]`, a `PathBuf`.
pub trait IntoPaths {
    /// The patterns, in order.
    fn into_paths(self) -> Vec<String>;
}

impl<S: AsRef<std::ffi::OsStr> + ?Sized> IntoPaths for &S {
    fn into_paths(self) -> Vec<String> {
        vec![self.as_ref().to_string_lossy().into_owned()]
    }
}

impl IntoPaths for String {
    fn into_paths(self) -> Vec<String> {
        vec![self]
    }
}

impl IntoPaths for std::path::PathBuf {
    fn into_paths(self) -> Vec<String> {
        vec![self.to_string_lossy().into_owned()]
    }
}

impl<S: AsRef<std::ffi::OsStr>, const N: usize> IntoPaths for [S; N] {
    fn into_paths(self) -> Vec<String> {
        self.iter().map(|path| path.as_ref().to_string_lossy().into_owned()).collect()
    }
}

impl<S: AsRef<std::ffi::OsStr>> IntoPaths for Vec<S> {
    fn into_paths(self) -> Vec<String> {
        self.iter().map(|path| path.as_ref().to_string_lossy().into_owned()).collect()
    }
}

impl DFrame {
    /// CSV files as a lazy frame: a path, a pattern or a list of them; local or `s3:// gs:// az:// http(s):// memory://`.
    ///
    /// Reads a bounded sample (64 KiB at the head, middle and tail of every file) to learn separator, header and column types,
    /// and cuts the files into blocks, each a partition. Empty cells are null. A type that was guessed wrong is widened
    /// (integer, float, text) while running, and the run says so. Folders called `key=value` that a pattern matches are columns:
    /// `"data/year=*/*.csv"` has a column `year`.
    ///
    /// Keys, region and endpoint of a store come from [`crate::set_storage_options`], and otherwise from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
    /// `AWS_ENDPOINT` for servers that speak S3 (with `AWS_ALLOW_HTTP=true` when they are not encrypted), `GOOGLE_…`, `AZURE_…`.
    ///
    /// ```no_run
    /// use partita::prelude::*;
    /// let means = DFrame::read_csv("data/*.csv")?.groupby(["k"]).mean().compute()?;
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: no such file, a directory, a pattern without a match, unreadable or empty input, files whose
    /// headers differ. While it runs: ragged rows, text that is not UTF-8.
    #[doc(alias = "scan_csv")]
    #[track_caller]
    pub fn read_csv(paths: impl IntoPaths) -> Result<DFrame, Failure> {
        Self::read_csv_with(paths, CsvOptions::new())
    }

    /// The same with options: separator, quotes, header, null values, dtypes, columns, block size, comments, encoding.
    ///
    /// ```no_run
    /// use partita::prelude::*;
    /// let options = CsvOptions::new().blocksize("64MB").dtype("tailnum", DataType::String).null_values(["NA"]);
    /// let flights = DFrame::read_csv_with("flights/*.csv", options)?;
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::read_csv`]; an option that cannot be used or names no column; while it runs, a cell that is not what a
    /// declared dtype says, with file, row, byte, column and cell.
    #[track_caller]
    pub fn read_csv_with(paths: impl IntoPaths, options: CsvOptions) -> Result<DFrame, Failure> {
        let origin = partita_graph::Origin::here("read_csv(…)");
        let reader = ReadCsv::open(&paths.into_paths(), &options).map_err(|failure| failure.origin(Some(&origin)))?;
        Ok(DFrame::build(Arc::new(reader), Vec::new(), origin))
    }
}

fn identity(files: &[FileInfo], options: &CsvOptions) -> u64 {
    let files = postcard::to_stdvec(files).expect("plain data");
    xxh3_64_with_seed(&files, xxh3_64(format!("{options:?}").as_bytes()))
}

/// The reader as a step.
#[derive(Clone)]
pub(crate) struct ReadCsv {
    /// Names this reader in advice from its tasks. The same files with the same options have the same, in any process, so
    /// that clients of one cluster share what they read.
    source: u64,
    pub table: Arc<Table>,
    blocks: Arc<[Block]>,
    blocksize: u64,
    /// The columns of the result, in file order.
    columns: Vec<ColumnInfo>,
    predicate: Option<Expr>,
    /// No more rows of each partition than these.
    limit: Option<u64>,
    /// Text columns that are handed out as codes.
    codes: Names,
}

impl ReadCsv {
    fn open(patterns: &[String], options: &CsvOptions) -> Result<Self, Failure> {
        let table = csv::open(patterns, options).map_err(|e| io_failure(e, None, None))?;
        let bytes = table.files.iter().map(|file| file.size).sum();
        crate::client::found_on_workers(&table.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>())?;
        let threads = crate::client::planned_threads();
        let blocksize = options.chosen_blocksize().map_err(|e| io_failure(e, None, None))?;
        let blocksize = blocksize.unwrap_or_else(|| csv::default_blocksize(bytes, threads, crate::client::planned_memory()));
        let blocks = csv::blocks(&table, blocksize).map_err(|e| io_failure(e, Some(&table), None))?;
        let columns = table.columns.clone();
        let source = identity(&table.files, options);
        Ok(Self {
            source,
            table: Arc::new(table),
            blocks: blocks.into(),
            blocksize,
            columns,
            predicate: None,
            limit: None,
            codes: Names::new(),
        })
    }

    /// The same reader handing out these text columns as codes; a predicate wants text, so it stays as it is with one.
    pub fn with_codes(&self, names: &Names) -> Self {
        let text = |name: &PlSmallStr| self.columns.iter().any(|c| c.name == name.as_str() && c.dtype == DataType::String);
        match self.predicate.is_some() || self.limit.is_some() {
            true => self.clone(),
            false => Self { codes: names.iter().filter(|name| text(name)).cloned().collect(), ..self.clone() },
        }
    }

    /// The reader where only some of its blocks, in ascending order, are read: those before which none is read look themselves whether they
    /// start where a record does. `None`: nothing changes.
    pub fn alone(&self, wanted: &[u32]) -> Option<Self> {
        let mut blocks = self.blocks.to_vec();
        let mut doubtful = false;
        for (at, number) in wanted.iter().enumerate() {
            let after_another = at > 0 && wanted[at - 1] + 1 == *number;
            if let Some(block) = blocks.get_mut(*number as usize) {
                block.alone = !after_another && !block.first && !block.exact;
                doubtful |= block.alone;
            }
        }
        doubtful.then(|| Self { blocks: blocks.into(), ..self.clone() })
    }

    /// Blocks, each a partition; one empty partition when there are none.
    pub fn npartitions(&self) -> u32 {
        self.blocks.len().max(1) as u32
    }

    /// The result's columns and those of the predicate.
    fn read(&self) -> Vec<&ColumnInfo> {
        let tested = self.predicate.as_ref().map(columns_of).unwrap_or_default();
        let wanted =
            |column: &&ColumnInfo| tested.contains(column.name.as_str()) || self.columns.iter().any(|kept| kept.name == column.name);
        self.table.columns.iter().filter(wanted).collect()
    }

    /// What a decoder must produce of them.
    fn spec(&self) -> ReadSpec {
        let field = |column: &ColumnInfo| Field {
            name: column.name.clone(),
            position: column.position,
            dtype: column.dtype.clone(),
            declared: column.declared,
            as_codes: self.codes.contains(column.name.as_str()),
        };
        let fields = self.read().into_iter().filter(|column| self.table.is_in_records(column)).map(field).collect();
        ReadSpec { dialect: self.table.dialect.clone(), width: self.table.width, fields }
    }

    /// The layer that reads.
    pub fn layer(&self) -> Layer {
        let read = self.read();
        let operator = CsvBlock::new(Reader {
            source: self.source,
            files: self.table.files.clone(),
            folder: std::env::current_dir().unwrap_or_default(),
            spec: Arc::new(self.spec()),
            predicate: self.predicate.clone(),
            limit: self.limit,
            hive: self.table.hive.only(|name| read.iter().any(|column| column.name == name)),
            output: self.columns.clone(),
        });
        let op = expr_op(operator, self.line(), ops::token());
        let args = self.blocks.iter().map(Arg::encode).collect();
        Layer::with_args("read_csv", op, args, Vec::new())
    }
}

impl Step for ReadCsv {
    fn line(&self) -> String {
        let files = match self.table.files.len() {
            1 => shown(&self.table.files[0].path).into_owned(),
            n => format!("{n} files"),
        };
        let columns = format!("{} of {} columns", self.read().len(), self.table.columns.len());
        let filter = self.predicate.as_ref().map_or(String::new(), |p| format!(", where {}", show_one(p)));
        let limit = self.limit.map_or(String::new(), |rows| format!(", at most {rows} rows of each block"));
        format!("read_csv {files}, {columns}{filter}{limit}")
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let fields = self.columns.iter().map(|column| (column.name.as_str().into(), column.dtype.clone()));
        Ok(Arc::new(fields.collect()))
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let mut columns: Vec<ColumnInfo> = self.columns.iter().filter(|c| wanted.contains(c.name.as_str())).cloned().collect();
        if columns.is_empty() {
            // Rows are counted by a column; numbers are the cheapest.
            let number = self.columns.iter().find(|column| column.dtype.is_primitive_numeric());
            columns.extend(number.or(self.columns.first()).cloned());
        }
        (columns.len() < self.columns.len()).then(|| Arc::new(Self { columns, ..self.clone() }) as Arc<dyn Step>)
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        // What is limited already has rows of its own, and a filter would be another one before the limit.
        if self.limit.is_some() || (self.predicate.is_some() && node.can_fail(predicate)) {
            return Admission::Stop;
        }
        let both = match &self.predicate {
            Some(first) => first.clone().and(predicate.clone()),
            None => predicate.clone(),
        };
        Admission::Absorb(Arc::new(Self { predicate: Some(both), codes: Names::new(), ..self.clone() }))
    }

    fn limited(&self, rows: u64, _: bool) -> Option<Arc<dyn Step>> {
        let limit = Some(self.limit.map_or(rows, |limit| limit.min(rows)));
        Some(Arc::new(Self { limit, codes: Names::new(), ..self.clone() }))
    }

    fn size(&self, _: &[Option<Size>], node: &Node) -> Option<Size> {
        let schema = node.schema.as_ref().ok()?;
        let sample = self.table.sample_frame();
        if sample.height() == 0 {
            return Some(Size::of_rows(self.table.estimated_rows, schema));
        }
        let kept = match &self.predicate {
            None => sample.height(),
            Some(predicate) => {
                let rows = sample.clone().lazy().filter(predicate.clone());
                on_polars_thread(|| rows.collect()).ok()?.height()
            }
        };
        let bytes = sample.select(schema.iter_names().cloned()).ok()?.estimated_size() as u64;
        // A predicate that keeps no row of the sample may still keep some of the others.
        let rows = (self.table.estimated_rows as f64 * kept.max(1) as f64 / sample.height() as f64) as u64;
        Some(Size { rows: sample.height() as u64, bytes }.with_rows(rows))
    }

    fn whole(&self) -> Option<u64> {
        Some(self.table.estimated_rows)
    }

    fn different(&self, column: &PlSmallStr) -> Option<u64> {
        estimate::of_sample(self, &[Expr::Column(column.clone())])
    }

    fn sampled_rows(&self, _: &Names) -> Option<DataFrame> {
        let sample = self.table.sample_frame();
        match &self.predicate {
            None => Some(sample.clone()),
            Some(predicate) => on_polars_thread(|| sample.clone().lazy().filter(predicate.clone()).collect()).ok(),
        }
    }

    fn replan(&self, source: u64, change: &Change) -> Option<Arc<dyn Step>> {
        if source != self.source {
            return None;
        }
        let mut changed = self.clone();
        match change {
            Change::Widen(types) => {
                let mut table = (*self.table).clone();
                let mut moved = false;
                for column in table.columns.iter_mut().chain(&mut changed.columns) {
                    if let Some((_, dtype)) = types.iter().find(|(name, _)| *name == column.name) {
                        moved |= column.dtype != *dtype;
                        column.dtype = dtype.clone();
                    }
                }
                if !moved {
                    return None;
                }
                changed.table = Arc::new(table);
            }
            Change::ExactCuts if self.blocks.iter().all(|block| block.exact) => return None,
            Change::ExactCuts => {
                let threads = std::thread::available_parallelism().map_or(1, usize::from);
                changed.blocks = csv::exact_blocks_in_place(&self.table, self.blocksize, threads).ok()?.into();
            }
        }
        Some(Arc::new(changed))
    }

    fn lower(&self, _: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        if self.blocks.is_empty() {
            let schema = self.schema(&[])?;
            let empty = DataFrame::empty_with_schema(&schema);
            return Ok(lowering.add(ops::from_polars::layer(&[(ops::token(), empty)]), node));
        }
        Ok(lowering.add(self.layer(), node))
    }

    fn coded_layer(&self, keys: &Names, _: bool) -> Option<Layer> {
        Some(self.with_codes(keys).layer())
    }

    fn reader(&self) -> Option<&ReadCsv> {
        Some(self)
    }
}
