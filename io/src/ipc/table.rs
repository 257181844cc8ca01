//! Arrow IPC files as one table: footers, record batches as pieces, and the reading of a batch, column by column.
//!
//! It refuses to map files into memory: a file of the user's may be cut off by somebody else while it is mapped. Invariant: all files
//! have the same columns of the same types; a piece is one record batch, of which only the wanted columns are read.

use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, PlSmallStr, SchemaRef};
use polars_arrow::io::ipc::format::ipc::Block;
use polars_arrow::io::ipc::read::{FileMetadata, FileReader, deserialize_footer};
use serde::{Deserialize, Serialize};

use crate::bounds::{Unit, of_folders_only};
use crate::compress::Compression;
use crate::csv::{default_blocksize, in_parallel};
use crate::damage::{damaged, guarded};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::{Member, members};
use crate::hive::Hive;
use crate::options::{Room, TableOptions};
use crate::parquet::polars_schema;
use crate::ranges::fetch;
use crate::seekable::Seekable;
use crate::source::Source;
use crate::table::{
    self, FileTable, Formats, Located, Origin, cancelled, check_alike, is_remote, merge, origins, schema_with, threads_for,
};

/// How names of Arrow files in a folder end.
pub(crate) const ENDINGS: &[&str] = &[".arrow", ".ipc", ".feather"];
/// Read from the end at once.
const TAIL: u64 = 64 << 10;
/// The length of the footer, and the mark.
const END: u64 = 10;
const MARK: &[u8] = b"ARROW1";
/// Columns in memory take about so many times their stored bytes.
const UNPACKED: u64 = 2;

/// A record batch of one of the files.
#[derive(Clone, Copy, Debug)]
struct Batch {
    file: u32,
    number: u32,
    start: u64,
    end: u64,
}

/// Arrow files that were opened.
struct Table {
    files: Vec<Member>,
    own: SchemaRef,
    schema: SchemaRef,
    hive: Hive,
    batches: Vec<Batch>,
    partitions: Vec<Range<u32>>,
}

/// Lists the files, reads their footers, several at a time, and joins their record batches to partitions.
///
/// # Errors
/// As [`crate::parquet::open`].
pub fn open(patterns: &[String], options: &TableOptions, room: Room) -> Result<Arc<dyn FileTable>> {
    let blocksize = options.chosen_blocksize()?;
    let files = members(patterns, ENDINGS)?;
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NoMatch, patterns.join(", ")));
    }
    let threads = threads_for(is_remote(&files), options);
    let looked = in_parallel(files.len(), threads, |file| {
        let found = &files[file].found;
        let footer = footer(&found.name, found.facts.size)?;
        let schema = polars_schema(&found.name, &footer.schema)?;
        Ok((schema, batches(file, &found.name, found.facts.size, &footer)?))
    })?;
    let own = Arc::new(looked[0].0.clone());
    check_alike(&files, looked.iter().map(|(schema, _)| schema))?;
    let hive = if options.reads_folders() { Hive::find(&files, &options.hive_dtypes)? } else { Hive::default() };
    let hive = hive.without(|name| own.contains(name));
    let schema = Arc::new(schema_with(&own, &hive));
    let batches: Vec<Batch> = looked.into_iter().flat_map(|(_, batches)| batches).collect();
    let total = batches.iter().map(|batch| batch.end - batch.start).sum();
    let target = blocksize.unwrap_or_else(|| default_blocksize(total, room.threads, room.memory / UNPACKED));
    let partitions = merge(batches.iter().map(|batch| batch.end - batch.start), target);
    Ok(Arc::new(Table { files, own, schema, hive, batches, partitions }))
}

fn footer(name: &str, size: u64) -> Result<FileMetadata> {
    if size < END {
        return Err(damaged(name, Some(0), format!("{size} bytes are no Arrow file")));
    }
    let end = |length: u64| {
        fetch(name, size, std::slice::from_ref(&(size - length..size))).map(|found| found.into_iter().next().unwrap_or_default())
    };
    let mut tail = end(TAIL.min(size))?;
    let (length, mark) = tail[tail.len() - END as usize..].split_at(4);
    if mark != MARK {
        return Err(damaged(name, Some(size - 6), "it does not end with ARROW1: it was cut off, or it is no Arrow file"));
    }
    let length = u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]]));
    if length + END > size {
        return Err(damaged(name, Some(size - END), format!("its footer should have {length} bytes, and the file has {size}")));
    }
    if length + END > tail.len() as u64 {
        tail = end(length + END)?;
    }
    let from = tail.len() - (length + END) as usize;
    guarded(name, None, || deserialize_footer(&tail[from..tail.len() - END as usize], size))
}

fn batches(file: usize, name: &str, size: u64, footer: &FileMetadata) -> Result<Vec<Batch>> {
    let batch = |(number, block): (u32, &Block)| {
        let range = || {
            let start = u64::try_from(block.offset).ok()?;
            let length = u64::try_from(block.body_length).ok()?.checked_add(u64::try_from(block.meta_data_length).ok()?)?;
            Some(start..start.checked_add(length).filter(|end| *end <= size)?)
        };
        let range = range().ok_or_else(|| damaged(name, None, format!("record batch {number} does not lie in the file")))?;
        Ok(Batch { file: file as u32, number, start: range.start, end: range.end })
    };
    (0u32..).zip(&footer.blocks).map(batch).collect()
}

impl FileTable for Table {
    fn format(&self) -> &'static str {
        "ipc"
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn files(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.found.name.as_str()).collect()
    }

    fn partitions(&self) -> &[Range<u32>] {
        &self.partitions
    }

    fn rows(&self, _: u32) -> Option<u64> {
        None
    }

    fn bytes(&self, piece: u32) -> u64 {
        let batch = &self.batches[piece as usize];
        batch.end - batch.start
    }

    fn statistics(&self, columns: &[PlSmallStr]) -> DataFrame {
        let units: Vec<Unit> = self.batches.iter().map(|batch| Unit { file: batch.file, rows: None }).collect();
        of_folders_only(&units, columns, &self.hive)
    }

    fn cheapest(&self) -> PlSmallStr {
        let cheapest = self.own.iter().min_by_key(|(_, dtype)| width(dtype)).map(|(name, _)| name);
        cheapest.or(self.schema.iter_names().next()).cloned().unwrap_or(PlSmallStr::EMPTY)
    }

    fn recipe(&self, columns: &[PlSmallStr]) -> table::Recipe {
        let (origins, own) = origins(columns, &self.hive, |name| self.own.contains(name));
        let files = self.files.iter().map(|file| Located::of(&file.found)).collect();
        table::Recipe(Formats::Ipc(Recipe { files, own, origins, hive: self.hive.clone() }))
    }

    fn piece(&self, number: u32, _: &[PlSmallStr]) -> table::Piece {
        let Batch { file, number, start, end } = self.batches[number as usize];
        table::Piece(Formats::Ipc(Piece { file, number, start, end }))
    }
}

/// About how many bits a value takes.
pub(crate) fn width(dtype: &DataType) -> u32 {
    match dtype {
        DataType::Null => 0,
        DataType::Boolean => 1,
        DataType::Int8 | DataType::UInt8 => 8,
        DataType::Int16 | DataType::UInt16 => 16,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date => 32,
        DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Datetime(_, _) | DataType::Duration(_) => 64,
        _ => 1000,
    }
}

/// What all tasks of a reader share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recipe {
    files: Vec<Located>,
    /// The wanted columns that stand in files.
    own: Vec<PlSmallStr>,
    origins: Vec<Origin>,
    hive: Hive,
}

/// One record batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    file: u32,
    number: u32,
    start: u64,
    end: u64,
}

impl Recipe {
    pub(crate) fn read(&self, piece: &Piece, most: u64, stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        match usize::try_from(most).ok().filter(|_| most < u64::MAX).map(|rows| self.rows(piece, Some(rows), stop)) {
            Some(Ok(first)) => Ok(first),
            // The decoder does not cut every form of column short: what it gives up then is read whole.
            Some(Err(_)) | None => self.rows(piece, None, stop),
        }
    }

    /// The rows of a piece, or the first of them.
    fn rows(&self, piece: &Piece, limit: Option<usize>, stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        if stop() {
            return Err(cancelled());
        }
        let file = &self.files[piece.file as usize];
        let name = file.path.as_str();
        let footer = footer(name, file.size)?;
        let positions: Option<Vec<usize>> = self.own.iter().map(|column| footer.schema.index_of(column)).collect();
        let Some(mut positions) = positions else {
            return Err(damaged(name, None, "it has other columns than when it was opened: it was changed meanwhile"));
        };
        if piece.number as usize >= footer.blocks.len() {
            return Err(damaged(name, None, "it has fewer record batches than when it was opened: it was changed meanwhile"));
        }
        positions.sort_unstable();
        // For a few rows little of each column is read, and a store is not asked for all of them ahead.
        let likely = if limit.is_none() { piece.end } else { piece.start };
        let source = Source::open(name, file.size, Compression::None, piece.start..likely)?;
        let (bytes, failed) = Seekable::new(source, file.size);
        let read =
            guarded(name, Some(piece.start), || batch(FileReader::new(bytes, footer, Some(positions.clone()), limit), piece, &positions));
        let failed = failed.borrow_mut().take();
        match failed {
            Some(error) => Err(error),
            None => self.complete(piece, read?),
        }
    }

    /// The columns in the order of the recipe, those in the names of folders among them.
    fn complete(&self, piece: &Piece, frame: DataFrame) -> Result<DataFrame> {
        let name = self.files[piece.file as usize].path.as_str();
        let column = |origin: &Origin| match *origin {
            Origin::File(at) => frame.column(&self.own[at as usize]).cloned(),
            Origin::Folders(at) => self.hive.column(piece.file as usize, at as usize, frame.height()),
        };
        let columns = self.origins.iter().map(column).collect::<std::result::Result<Vec<_>, _>>();
        let complete = columns.and_then(|columns| DataFrame::new(frame.height(), columns));
        complete.map_err(|error| damaged(name, Some(piece.start), error.to_string()))
    }
}

/// The columns of a record batch in the order of the file. Without columns it is only as high as the batch.
fn batch(mut reader: FileReader<Seekable>, piece: &Piece, positions: &[usize]) -> std::result::Result<DataFrame, String> {
    reader.set_current_block(piece.number as usize);
    if positions.is_empty() {
        let batch = reader.next_record_batch().transpose().map_err(|error| error.to_string())?;
        let rows = batch.map_or(Ok(0), |batch| batch.length()).map_err(|error| error.to_string())?;
        let rows = usize::try_from(rows).map_err(|error| error.to_string())?;
        return DataFrame::new(rows, Vec::new()).map_err(|error| error.to_string());
    }
    match reader.next() {
        Some(batch) => batch.map(DataFrame::from).map_err(|error| error.to_string()),
        None => Err("the record batch is not there".to_owned()),
    }
}
