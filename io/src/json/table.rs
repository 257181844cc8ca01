//! JSON lines as one table: samples of every file, joined to types.
//!
//! It refuses to read more than samples. Invariant: what it says of keys and types is a guess that reading checks; blocks do not depend
//! on it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, PlSmallStr, Schema, SchemaRef};

use super::infer::{Kind, join_keys};
use super::lines::{Block, cut};
use super::options::JsonOptions;
use super::recipe::{self, Wanted};
use crate::bounds::{Unit, of_folders_only};
use crate::compress::{Compression, MAGIC, foreign};
use crate::csv::{default_blocksize, in_parallel};
use crate::damage::damaged;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::{Member, members};
use crate::hive::Hive;
use crate::ipc::width;
use crate::options::Room;
use crate::source::Source;
use crate::store::unreadable;
use crate::table::{FileTable, Formats, Located, Piece, Recipe, is_remote, merge, origins, schema_with, threads_for};

/// How names of files of JSON lines in a folder end.
pub(crate) const ENDINGS: &[&str] = &[
    ".jsonl",
    ".ndjson",
    ".json",
    ".jsonl.gz",
    ".ndjson.gz",
    ".json.gz",
    ".jsonl.zst",
    ".ndjson.zst",
    ".json.zst",
    ".jsonl.bz2",
    ".ndjson.bz2",
    ".json.bz2",
];
/// All samples together stay near this.
const ALL_SAMPLES: u64 = 8 << 20;
/// Less says nothing.
const SMALLEST_SAMPLE: u64 = 2 << 10;
/// A first line longer than this is none.
const LONGEST_LINE: u64 = 64 << 20;
/// Packed text is taken to be so many times larger than its file.
const PACKING: u64 = 4;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Files of JSON lines that were opened.
#[derive(Clone)]
struct Table {
    files: Vec<Member>,
    packed: Vec<Compression>,
    own: Vec<Wanted>,
    schema: SchemaRef,
    hive: Hive,
    blocks: Vec<Block>,
    partitions: Vec<Range<u32>>,
}

/// Lists the files, looks at samples of each, several at a time, and cuts them into blocks.
///
/// # Errors
/// `NoSuchFile`, `NoMatch`, `Unreadable`, `InvalidOption` (its file is the option's name), `EmptyInput` when no file holds a line and no
/// column is declared, `Damaged` with the place of a line that is no object.
pub fn open(patterns: &[String], options: &JsonOptions, room: Room) -> Result<Arc<dyn FileTable>> {
    options.check()?;
    let blocksize = options.chosen_blocksize()?;
    let files = members(patterns, ENDINGS)?;
    let count = files.len() as u64;
    let place = options.chosen_sample()?.min((ALL_SAMPLES / (3 * count.max(1))).max(SMALLEST_SAMPLE));
    let threads = threads_for(is_remote(&files), &options.table);
    let looked = in_parallel(files.len(), threads, |file| look_at(&files[file], place))?;
    let mut keys: Vec<(String, Kind)> = Vec::new();
    looked.iter().for_each(|looked| join_keys(&mut keys, looked.keys.clone()));
    let own = columns(&keys, &options.dtypes);
    if own.is_empty() {
        return Err(Error::new(ErrorKind::EmptyInput, patterns.join(", ")));
    }
    let hive = if options.table.reads_folders() { Hive::find(&files, &BTreeMap::new())? } else { Hive::default() };
    let hive = hive.without(|name| own.iter().any(|column| column.name.as_str() == name));
    let sizes = files.iter().zip(&looked).map(|(file, looked)| unpacked(file.found.facts.size, looked.compression));
    let target = blocksize.unwrap_or_else(|| default_blocksize(sizes.sum(), room.threads, room.memory));
    let blocks: Vec<Block> = (0u32..)
        .zip(files.iter().zip(&looked))
        .flat_map(|(number, (file, looked))| cut(number, file.found.facts.size, looked.text, looked.compression, target))
        .collect();
    let packed: Vec<Compression> = looked.iter().map(|looked| looked.compression).collect();
    let partitions = merge(blocks.iter().map(|block| bytes_of(block, &files, &packed)), target);
    let schema = schema_of(&own, &hive);
    Ok(Arc::new(Table { files, packed, own, schema, hive, blocks, partitions }))
}

fn bytes_of(block: &Block, files: &[Member], packed: &[Compression]) -> u64 {
    match packed[block.file as usize] {
        Compression::None => block.end - block.start,
        packing => unpacked(files[block.file as usize].found.facts.size, packing),
    }
}

fn unpacked(size: u64, compression: Compression) -> u64 {
    if compression == Compression::None { size } else { size.saturating_mul(PACKING) }
}

fn schema_of(own: &[Wanted], hive: &Hive) -> SchemaRef {
    let own: Schema = own.iter().map(|column| (column.name.clone(), column.dtype.clone())).collect();
    Arc::new(schema_with(&own, hive))
}

fn columns(keys: &[(String, Kind)], declared: &BTreeMap<String, DataType>) -> Vec<Wanted> {
    let seen = keys.iter().map(|(name, kind)| match declared.get(name) {
        Some(dtype) => Wanted { name: name.into(), dtype: dtype.clone(), declared: true },
        None => Wanted { name: name.into(), dtype: kind.dtype(), declared: false },
    });
    let unseen = declared.iter().filter(|(name, _)| !keys.iter().any(|(key, _)| key == *name));
    let unseen = unseen.map(|(name, dtype)| Wanted { name: name.into(), dtype: dtype.clone(), declared: true });
    seen.chain(unseen).collect()
}

/// What one file says.
struct Looked {
    compression: Compression,
    /// First byte after a byte order mark, unpacked.
    text: u64,
    keys: Vec<(String, Kind)>,
}

fn look_at(file: &Member, place: u64) -> Result<Looked> {
    let (name, size) = (file.found.name.as_str(), file.found.facts.size);
    let mut length = if size <= 3 * place { size } else { place.max(MAGIC as u64) };
    let mut head = sample(name, size, Compression::None, 0, length)?;
    let compression = Compression::of(&head);
    if compression == Compression::None
        && let Some(what) = foreign(&head)
    {
        return Err(unreadable(name, what));
    }
    if compression != Compression::None {
        length = place;
        head = sample(name, size, compression, 0, length)?;
    }
    let whole =
        |head: &[u8], asked: u64| if compression == Compression::None { head.len() as u64 >= size } else { (head.len() as u64) < asked };
    while !head.contains(&b'\n') && !whole(&head, length) {
        if length >= LONGEST_LINE {
            return Err(damaged(name, Some(0), "its first line has no end: these are no JSON lines"));
        }
        length *= 4;
        head = sample(name, size, compression, 0, length)?;
    }
    let text = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    if head[text..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(damaged(name, Some(text as u64), "it is one JSON array; write one object a line instead (jq -c '.[]' does)"));
    }
    let mut looked = Looked { compression, text: text as u64, keys: Vec::new() };
    let ended = whole(&head, length);
    looked.lines(name, 0, text, &head, ended)?;
    if !ended && compression == Compression::None {
        let read_to = head.len() as u64;
        for start in [(size / 2).max(read_to), size.saturating_sub(place).max(read_to)] {
            // What begins inside a line is looked at from the next line on.
            let inside = sample(name, size, compression, start, place)?;
            let from = memchr::memchr(b'\n', &inside).map_or(inside.len(), |newline| newline + 1);
            looked.lines(name, start, from, &inside, start + inside.len() as u64 >= size)?;
        }
    }
    Ok(looked)
}

fn sample(name: &str, size: u64, compression: Compression, start: u64, length: u64) -> Result<Vec<u8>> {
    let range = start..start + length;
    Source::open(name, size, compression, range.clone())?.copy(range)
}

impl Looked {
    /// Takes in the whole lines of a sample that starts at `base` in the file.
    fn lines(&mut self, name: &str, base: u64, from: usize, sample: &[u8], ended: bool) -> Result<()> {
        let end = if ended { sample.len() } else { memchr::memrchr(b'\n', sample).map_or(from, |newline| newline + 1) };
        let mut at = from;
        for line in sample.get(from..end).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            if !line.iter().all(u8::is_ascii_whitespace) {
                let place = Some(base + at as u64);
                match serde_json::from_slice::<Kind>(line) {
                    Ok(Kind::Object(keys)) => join_keys(&mut self.keys, keys),
                    Ok(_) => return Err(damaged(name, place, "a line is no JSON object")),
                    Err(error) => return Err(damaged(name, place, format!("a line is no JSON object: {error}"))),
                }
            }
            at += line.len();
        }
        Ok(())
    }
}

impl FileTable for Table {
    fn format(&self) -> &'static str {
        "json"
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
        bytes_of(&self.blocks[piece as usize], &self.files, &self.packed)
    }

    fn statistics(&self, columns: &[PlSmallStr]) -> DataFrame {
        let units: Vec<Unit> = self.blocks.iter().map(|block| Unit { file: block.file, rows: None }).collect();
        of_folders_only(&units, columns, &self.hive)
    }

    fn cheapest(&self) -> PlSmallStr {
        let cheapest = self.own.iter().min_by_key(|column| width(&column.dtype));
        cheapest.map_or(PlSmallStr::EMPTY, |column| column.name.clone())
    }

    fn recipe(&self, columns: &[PlSmallStr]) -> Recipe {
        let find = |name: &str| self.own.iter().find(|column| column.name.as_str() == name);
        let (origins, own) = origins(columns, &self.hive, |name| find(name).is_some());
        let file = |(file, packed): (&Member, &Compression)| (Located::of(&file.found), *packed);
        Recipe(Formats::Json(recipe::Recipe {
            files: self.files.iter().zip(&self.packed).map(file).collect(),
            known: self.own.iter().map(|column| column.name.clone()).collect(),
            own: own.iter().filter_map(|name| find(name)).cloned().collect(),
            origins,
            hive: self.hive.clone(),
        }))
    }

    fn piece(&self, number: u32, _: &[PlSmallStr]) -> Piece {
        Piece(Formats::Json(recipe::Piece(self.blocks[number as usize])))
    }

    fn widened(&self, types: &[(String, DataType)]) -> Option<Arc<dyn FileTable>> {
        let mut table = self.clone();
        for column in table.own.iter_mut().filter(|column| !column.declared) {
            if let Some((_, dtype)) = types.iter().find(|(name, _)| *name == column.name.as_str()) {
                column.dtype = dtype.clone();
            }
        }
        if table.own == self.own {
            return None;
        }
        table.schema = schema_of(&table.own, &table.hive);
        Some(Arc::new(table))
    }
}
