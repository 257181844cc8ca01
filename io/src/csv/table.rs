//! A set of CSV files as one table: what [`open`] finds out, as plain data that can be sent.
//!
//! It refuses to know blocks and partitions. Invariant: opening reads bounded samples only, some of every file; what it says of files is
//! true of all of them (same columns), what it says of types is a guess that reading checks.

use std::sync::Arc;

use polars::prelude::{Column, DataFrame, DataType, PlSmallStr, PolarsResult};
use serde::{Deserialize, Serialize};

use super::exact::in_parallel;
use super::infer::{Findings, first_record, look};
use super::options::CsvOptions;
use super::sniff::{self, Head, Top};
use super::{Decoder, Dialect, Field, ReadSpec};
use crate::compress::{Compression, MAGIC, foreign};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::folder;
use crate::hive::Hive;
use crate::resolve::Found;
use crate::source::Source;
use crate::store::unreadable;

/// All samples together stay near this.
const ALL_SAMPLES: u64 = 8 << 20;
/// Kept of them, to estimate how many distinct values there are.
const KEPT: usize = 2 << 20;
/// Less says nothing.
const SMALLEST_SAMPLE: u64 = 2 << 10;
/// A sample grows up to this (or up to what the options say) until whole records are in it.
const LARGEST_SAMPLE: u64 = 64 << 20;
/// Packed text is taken to be so many times larger than its file.
const PACKING: u64 = 4;

/// One file of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileInfo {
    /// As the user would write it.
    pub path: String,
    /// Stored bytes.
    pub size: u64,
    /// How it is packed.
    pub compression: Compression,
    /// Changes when the content does: time of change and size, or the store's tag.
    pub version: String,
    /// First byte after a byte order mark, unpacked.
    pub text_start: u64,
    /// First byte after the header, unpacked.
    pub data_start: u64,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Name.
    pub name: String,
    /// Place in the record, from 0.
    pub position: usize,
    /// Declared or inferred type.
    pub dtype: DataType,
    /// Whether the user declared it.
    pub declared: bool,
}

/// Files with the same columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// All files, empty ones too, in the order of rows.
    pub files: Vec<FileInfo>,
    /// How they are written.
    pub dialect: Dialect,
    /// The columns to read, by ascending position; after those that stand in records those in the names of folders.
    pub columns: Vec<ColumnInfo>,
    /// What stands in the names of folders.
    pub hive: Hive,
    /// Fields of each record; at least the number of columns.
    pub width: usize,
    /// Rows of all files, from the samples; exact when the samples are everything.
    pub estimated_rows: u64,
    /// Whether a newline was seen inside a quoted field.
    pub has_quoted_newlines: bool,
    /// Whole records from the places looked at; stays here when the table is sent.
    #[serde(skip)]
    samples: Vec<Arc<[u8]>>,
}

impl Table {
    /// Whether a column stands in records, and not in the names of folders.
    pub fn is_in_records(&self, column: &ColumnInfo) -> bool {
        column.position < self.width
    }

    /// What a decoder needs to read these columns (unknown names are passed over, and those in the names of folders), text as text.
    pub fn spec(&self, wanted: &[impl AsRef<str>]) -> ReadSpec {
        let is_wanted = |column: &&ColumnInfo| wanted.iter().any(|name| name.as_ref() == column.name);
        let wanted = self.columns.iter().filter(|column| self.is_in_records(column)).filter(is_wanted);
        let field = |column: &ColumnInfo| Field {
            name: column.name.clone(),
            position: column.position,
            dtype: column.dtype.clone(),
            declared: column.declared,
            as_codes: false,
        };
        ReadSpec { dialect: self.dialect.clone(), width: self.width, fields: wanted.map(field).collect() }
    }

    /// Stored bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Some thousand rows out of the samples, to estimate how many distinct values there are. Empty after sending; places with cells
    /// that do not fit are left out.
    pub fn sample_frame(&self) -> DataFrame {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let spec = Arc::new(self.spec(&names));
        let mut frame = decode(&spec, &[]).unwrap_or_else(DataFrame::empty);
        for sample in &self.samples {
            if let Some(more) = decode(&spec, sample) {
                // The columns are the same by construction; polars asks for an answer anyway.
                let _ = frame.vstack_mut(&more);
            }
        }
        self.in_folders(frame.height()).and_then(|folders| frame.hstack(&folders)).unwrap_or(frame)
    }

    /// What so many rows could have in the columns in the names of folders, each file having its share of them.
    fn in_folders(&self, rows: usize) -> PolarsResult<Vec<Column>> {
        let wanted = self.hive.only(|name| self.columns.iter().any(|column| column.name == name));
        let mut all = wanted.columns_of(0, 0)?;
        for file in 0..self.files.len() {
            let share = rows * (file + 1) / self.files.len() - rows * file / self.files.len();
            if share > 0 {
                all.iter_mut().zip(wanted.columns_of(file, share)?).try_for_each(|(all, more)| all.append_owned(more).map(|_| ()))?;
            }
        }
        Ok(all)
    }

    #[cfg(test)]
    pub(super) fn of(files: Vec<FileInfo>, dialect: Dialect) -> Self {
        let (columns, samples) = (Vec::new(), Vec::new());
        Self { files, dialect, columns, hive: Hive::default(), width: 1, estimated_rows: 0, has_quoted_newlines: true, samples }
    }
}

fn decode(spec: &Arc<ReadSpec>, bytes: &[u8]) -> Option<DataFrame> {
    let mut decoder = Decoder::new(spec.clone());
    decoder.push(bytes, 0, usize::MAX, true).ok()?;
    let decoded = decoder.take().ok()?;
    DataFrame::new(decoded.rows, decoded.columns.into_iter().map(|column| column.into_column()).collect()).ok()
}

/// Lists the files, finds out what they look like and which types their columns have. Reads bounded samples of every file, several files
/// at a time.
///
/// # Errors
/// `NoSuchFile`, `IsDirectory`, `NoMatch`, `Unreadable`; `InvalidOption` (its file is the option's name); `EmptyInput` when no file holds a
/// record; `DuplicateColumn`, `ColumnNotFound`, `SchemaMismatch`, `UnclosedQuote`, `Corrupt`; `InvalidOption` of `sample_bytes` for records
/// that are longer than any sample.
pub fn open(patterns: &[String], options: &CsvOptions) -> Result<Table> {
    options.check()?;
    let members = folder::files(patterns)?;
    let found: Vec<Found> = members.iter().map(|member| member.found.clone()).collect();
    let count = found.len() as u64;
    let place = options.chosen_sample()?.min((ALL_SAMPLES / (3 * count.max(1))).max(SMALLEST_SAMPLE));
    let threads =
        if found.iter().any(|file| crate::table::in_store(&file.name)) { crate::table::REMOTE_THREADS } else { options.chosen_threads() };
    let Some((dialect, first, top)) = first_with_records(&found, place, options)? else {
        return Err(Error::new(ErrorKind::EmptyInput, patterns.join(", ")));
    };
    let looked = in_parallel(found.len(), threads, |index| look_at(&found[index], place, &dialect, options, (&found[first].name, &top)))?;
    let mut all = Findings::none(top.names.len());
    looked.iter().for_each(|file| all.join(&file.findings));
    let hive = if options.hive.unwrap_or(true) { Hive::find(&members, &options.dtypes)? } else { Hive::default() };
    let hive = hive.without(|name| top.names.iter().any(|own| own == name));
    Ok(Table {
        columns: columns(&top.names, &all, &hive, options, &found[first].name)?,
        hive,
        width: top.names.len(),
        estimated_rows: estimate(&looked, &all),
        has_quoted_newlines: all.quoted_newlines,
        samples: keep(&looked),
        files: looked.into_iter().map(|file| file.info).collect(),
        dialect,
    })
}

/// The first file that holds a record tells how all are written.
fn first_with_records(found: &[Found], place: u64, options: &CsvOptions) -> Result<Option<(Dialect, usize, Top)>> {
    for (index, file) in found.iter().enumerate() {
        let mut start = Start::read(file, place, options)?;
        // Without the dialect a comment cannot be told from a record; the options say what comments are.
        let dialect = loop {
            let dialect = sniff::dialect(start.head(), options);
            if start.is_enough(&dialect)? {
                break dialect;
            }
            start.grow()?;
        };
        if let Some(top) = sniff::top(start.head(), &dialect, options)? {
            return Ok(Some((dialect, index, top)));
        }
    }
    Ok(None)
}

/// The first bytes of a file, unpacked.
struct Start<'a> {
    file: &'a Found,
    compression: Compression,
    bytes: Vec<u8>,
    ended: bool,
    /// It does not grow beyond this.
    largest: u64,
}

impl<'a> Start<'a> {
    fn read(file: &'a Found, place: u64, options: &CsvOptions) -> Result<Self> {
        // A file that three samples would cover is read whole at once.
        let mut length = if file.facts.size <= 3 * place { file.facts.size } else { place.max(MAGIC as u64) };
        let mut bytes = Self::bytes(file, Compression::None, length)?;
        if let Some(what) = foreign(&bytes) {
            return Err(unreadable(&file.name, what));
        }
        let compression = Compression::of(&bytes);
        if compression != Compression::None {
            length = place;
            bytes = Self::bytes(file, compression, length)?;
        }
        let largest = options.chosen_sample()?.max(LARGEST_SAMPLE);
        let mut start = Self { file, compression, bytes, ended: false, largest };
        start.set_ended(length);
        Ok(start)
    }

    fn bytes(file: &Found, compression: Compression, length: u64) -> Result<Vec<u8>> {
        Source::open(&file.name, file.facts.size, compression, 0..length)?.copy(0..length)
    }

    fn set_ended(&mut self, asked: u64) {
        let length = self.bytes.len() as u64;
        self.ended = if self.compression == Compression::None { length >= self.file.facts.size } else { length < asked };
    }

    fn head(&self) -> Head<'_> {
        Head { name: &self.file.name, bytes: &self.bytes, ended: self.ended }
    }

    /// Whether there are whole records, as many as it takes, or none at all.
    fn is_enough(&self, dialect: &Dialect) -> Result<bool> {
        let Some(at) = self.head().unfinished(dialect) else { return Ok(true) };
        let full = self.bytes.len() as u64 >= self.largest;
        if self.ended || (full && self.head().is_unclosed(at, dialect)) {
            let place = Place { file: self.file.name.clone(), byte: Some(at as u64), ..Place::default() };
            return Err(Error::at(ErrorKind::UnclosedQuote, place));
        }
        if full {
            let accepted = format!(
                "more than {} bytes for {}: its first records do not end within so many, so that nothing is known of their types",
                self.largest, self.file.name
            );
            return Err(Error::new(ErrorKind::InvalidOption { accepted }, "sample_bytes"));
        }
        Ok(false)
    }

    fn grow(&mut self) -> Result<()> {
        let length = (4 * self.bytes.len().max(MAGIC) as u64).min(self.largest);
        self.bytes = Self::bytes(self.file, self.compression, length)?;
        self.set_ended(length);
        Ok(())
    }
}

/// What one file says.
struct Looked {
    info: FileInfo,
    findings: Findings,
    samples: Vec<Arc<[u8]>>,
    /// Bytes of data; a guess for packed files.
    data: u64,
    /// Whether all of it was looked at.
    whole: bool,
}

fn look_at(file: &Found, place: u64, dialect: &Dialect, options: &CsvOptions, (first_name, first): (&str, &Top)) -> Result<Looked> {
    let mut start = Start::read(file, place, options)?;
    while !start.is_enough(dialect)? {
        start.grow()?;
    }
    let head = start.head();
    let top = sniff::top(head, dialect, options)?;
    if let Some(difference) = top.as_ref().and_then(|top| sniff::difference(&first.names, &top.names)) {
        return Err(Error::new(ErrorKind::SchemaMismatch { first: first_name.to_owned(), difference }, &file.name));
    }
    let (name, facts) = (file.name.clone(), &file.facts);
    let text_start = head.text_start() as u64;
    // Without a record there is no data either, only comments or blank lines.
    let data_start = top.map_or(head.bytes.len() as u64, |top| top.data_start);
    let info =
        FileInfo { path: name, size: facts.size, compression: start.compression, version: facts.version.clone(), text_start, data_start };
    let width = first.names.len();
    let at = usize::try_from(data_start).unwrap_or(usize::MAX).min(start.bytes.len());
    let (findings, end) = look(&start.bytes, at, dialect, width, start.ended);
    let unpacked = if start.ended { start.bytes.len() as u64 } else { facts.size * PACKING };
    let size = if start.compression == Compression::None { facts.size } else { unpacked };
    let samples = vec![start.bytes[at..end].into()];
    let mut looked = Looked { info, findings, samples, data: size.saturating_sub(data_start), whole: start.ended };
    if !start.ended && start.compression == Compression::None {
        let read_to = start.bytes.len() as u64;
        let middle = (facts.size / 2).max(read_to);
        let tail = facts.size.saturating_sub(place).max(middle + place);
        look_inside(&mut looked, middle..(middle + place).min(facts.size), dialect, width)?;
        if tail < facts.size {
            look_inside(&mut looked, tail..facts.size, dialect, width)?;
        }
    }
    Ok(looked)
}

fn look_inside(looked: &mut Looked, range: std::ops::Range<u64>, dialect: &Dialect, width: usize) -> Result<()> {
    let ended = range.end == looked.info.size;
    let bytes = Source::open(&looked.info.path, looked.info.size, Compression::None, range.clone())?.copy(range)?;
    if let Some(at) = first_record(&bytes, dialect, width, ended) {
        let (findings, end) = look(&bytes, at, dialect, width, ended);
        looked.findings.join(&findings);
        looked.samples.push(bytes[at..end].into());
    }
    Ok(())
}

fn columns(names: &[String], all: &Findings, hive: &Hive, options: &CsvOptions, file: &str) -> Result<Vec<ColumnInfo>> {
    let in_folders: Vec<String> = hive.columns.iter().map(|(name, _)| name.to_string()).collect();
    let named = options.dtypes.keys().chain(options.usecols.iter().flatten());
    if let Some(unknown) = named.into_iter().find(|name| !names.contains(name) && !in_folders.contains(name)) {
        let place = Place { file: file.to_owned(), column: Some(unknown.clone()), ..Place::default() };
        return Err(Error::at(ErrorKind::ColumnNotFound { columns: [names, &in_folders].concat() }, place));
    }
    let wanted = |name: &String| options.usecols.as_ref().is_none_or(|wanted| wanted.contains(name));
    let column = |(position, name): (usize, &String)| {
        let declared = options.dtypes.get(name);
        let dtype = declared.cloned().unwrap_or_else(|| all.seen[position].dtype());
        ColumnInfo { name: name.clone(), position, dtype, declared: declared.is_some() }
    };
    let own = names.iter().enumerate().filter(|(_, name)| wanted(name)).map(column);
    let folder = |(at, (name, dtype)): (usize, &(PlSmallStr, DataType))| ColumnInfo {
        name: name.to_string(),
        position: names.len() + at,
        dtype: dtype.clone(),
        declared: true,
    };
    let folders = hive.columns.iter().enumerate().map(folder).filter(|column| wanted(&column.name));
    Ok(own.chain(folders).collect())
}

/// Counted where everything was looked at, in proportion to the bytes elsewhere.
fn estimate(looked: &[Looked], all: &Findings) -> u64 {
    let per_byte = all.records as f64 / all.bytes.max(1) as f64;
    let rows = |file: &Looked| if file.whole { file.findings.records } else { (file.data as f64 * per_byte) as u64 };
    looked.iter().map(rows).sum()
}

/// One sample of each file, then the next of each, so that all files have their say.
fn keep(looked: &[Looked]) -> Vec<Arc<[u8]>> {
    let mut kept = Vec::new();
    let mut bytes = 0;
    for turn in 0..3 {
        for sample in looked.iter().filter_map(|file| file.samples.get(turn)).filter(|sample| !sample.is_empty()) {
            if bytes + sample.len() <= KEPT || kept.is_empty() {
                bytes += sample.len();
                kept.push(sample.clone());
            }
        }
    }
    kept
}
