//! Parquet files as one table: footers of all of them, compared, and cut into pieces.
//!
//! It refuses to read data. Invariant: all files have the same columns of the same types, in whatever order; every footer is read once,
//! and what a task needs of it travels with the task.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, PlSmallStr, SchemaRef};
use polars_parquet::read::RowGroupMetadata;

use super::cut::{Cut, Group, cut};
use super::footer::{self, Footer};
use super::layout::{Layout, leaves};
use super::recipe::{self, File};
use super::statistics;
use crate::csv::in_parallel;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::{Member, members};
use crate::hive::Hive;
use crate::options::{Room, TableOptions};
use crate::table::{FileTable, Formats, Located, Piece, Recipe, check_alike, is_remote, origins, schema_with, threads_for};

/// How names of Parquet files in a folder end.
pub(crate) const ENDINGS: &[&str] = &[".parquet", ".parq", ".pq"];

/// Lists of values up to this size are those of few values, in stored bytes.
const SHORT_LIST: i64 = 4 << 10;

/// Parquet files that were opened.
pub(super) struct Table {
    files: Vec<Member>,
    footers: Vec<Footer>,
    layouts: Vec<Layout>,
    /// For each file its layout.
    layout_of: Vec<u32>,
    schema: SchemaRef,
    hive: Hive,
    cuts: Vec<Cut>,
    partitions: Vec<Range<u32>>,
}

/// Lists the files, reads their footers, several at a time, and cuts them into partitions.
///
/// # Errors
/// `NoSuchFile`, `NoMatch`, `Unreadable`, `InvalidOption` (its file is the option's name), `Damaged`, `UnknownType`, `DuplicateColumn`,
/// `SchemaMismatch`, `Parse` for the name of a folder that is not of its declared type.
pub fn open(patterns: &[String], options: &TableOptions, room: Room) -> Result<Arc<dyn FileTable>> {
    let blocksize = options.chosen_blocksize()?;
    let files = members(patterns, ENDINGS)?;
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NoMatch, patterns.join(", ")));
    }
    let remote = is_remote(&files);
    let threads = threads_for(remote, options);
    let footers = in_parallel(files.len(), threads, |file| footer::read(&files[file].found))?;
    let first = &footers[0].schema;
    check_alike(&files, footers.iter().map(|footer| &*footer.schema))?;
    let hive = if options.reads_folders() { Hive::find(&files, &options.hive_dtypes)? } else { Hive::default() };
    let hive = hive.without(|name| first.contains(name));
    let schema = Arc::new(schema_with(first, &hive));
    let (layouts, layout_of) = layouts(&footers);
    let (cuts, partitions) = cut(&groups(&footers), blocksize, room, remote);
    Ok(Arc::new(Table { files, footers, layouts, layout_of, schema, hive, cuts, partitions }))
}

fn layouts(footers: &[Footer]) -> (Vec<Layout>, Vec<u32>) {
    let mut layouts: Vec<Layout> = Vec::new();
    let layout_of = footers.iter().map(|footer| {
        let layout = Layout::of(footer);
        let known = layouts.iter().position(|known| *known == layout).unwrap_or_else(|| {
            layouts.push(layout);
            layouts.len() - 1
        });
        known as u32
    });
    let layout_of = layout_of.collect();
    (layouts, layout_of)
}

fn groups(footers: &[Footer]) -> Vec<Group> {
    let of = |(file, footer): (u32, &Footer)| {
        let group = move |(number, group): (u32, &RowGroupMetadata)| Group {
            file,
            number,
            rows: group.num_rows() as u64,
            bytes: group.compressed_size() as u64,
        };
        (0u32..).zip(&footer.metadata.row_groups).map(group).collect::<Vec<_>>()
    };
    (0u32..).zip(footers).flat_map(of).collect()
}

impl FileTable for Table {
    fn format(&self) -> &'static str {
        "parquet"
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

    fn rows(&self, piece: u32) -> Option<u64> {
        let cut = &self.cuts[piece as usize];
        Some(cut.end - cut.start)
    }

    fn bytes(&self, piece: u32) -> u64 {
        let cut = &self.cuts[piece as usize];
        let group = &self.footers[cut.file as usize].metadata.row_groups[cut.group as usize];
        let share = u128::from(cut.end - cut.start) * group.compressed_size() as u128 / (group.num_rows() as u128).max(1);
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    fn statistics(&self, columns: &[PlSmallStr]) -> DataFrame {
        statistics::of(&self.footers, &self.cuts, columns, &self.schema, &self.hive)
    }

    fn reads_columns_apart(&self) -> bool {
        true
    }

    fn lists_few(&self, column: &str) -> bool {
        let short = |group: &RowGroupMetadata| {
            let mut leaves = group.columns_under_root_iter(column).into_iter().flatten();
            let (Some(leaf), None) = (leaves.next(), leaves.next()) else { return false };
            leaf.dictionary_page_offset().is_some_and(|list| (0..=SHORT_LIST).contains(&leaf.data_page_offset().saturating_sub(list)))
        };
        let mut groups = self.footers.iter().flat_map(|footer| &footer.metadata.row_groups).filter(|group| group.num_rows() > 0);
        self.schema.get(column) == Some(&DataType::String) && groups.all(short)
    }

    fn cheapest(&self) -> PlSmallStr {
        let mut bytes: BTreeMap<&str, i64> = BTreeMap::new();
        for group in self.footers.iter().flat_map(|footer| &footer.metadata.row_groups) {
            for column in group.parquet_columns() {
                *bytes.entry(column.descriptor().path_in_schema[0].as_str()).or_default() += column.compressed_size().max(0);
            }
        }
        let own = self.schema.iter_names().filter(|name| self.footers[0].schema.contains(name));
        let cheapest = own.min_by_key(|name| bytes.get(name.as_str()).copied().unwrap_or(0));
        cheapest.or(self.schema.iter_names().next()).cloned().unwrap_or(PlSmallStr::EMPTY)
    }

    fn recipe(&self, columns: &[PlSmallStr]) -> Recipe {
        let (origins, own) = origins(columns, &self.hive, |name| self.footers[0].schema.contains(name));
        let names = columns.iter().filter(|name| self.schema.contains(name));
        let file = |(member, layout): (&Member, &u32)| File { at: Located::of(&member.found), layout: *layout };
        let dtype = |name: &PlSmallStr| self.schema.get(name).cloned().unwrap_or(DataType::Null);
        Recipe(Formats::Parquet(recipe::Recipe {
            files: self.files.iter().zip(&self.layout_of).map(file).collect(),
            layouts: self.layouts.iter().map(|layout| layout.select(&own)).collect(),
            columns: names.map(|name| (name.clone(), dtype(name))).zip(origins).collect(),
            hive: self.hive.clone(),
        }))
    }

    fn piece(&self, number: u32, columns: &[PlSmallStr]) -> Piece {
        let cut = self.cuts[number as usize];
        let footer = &self.footers[cut.file as usize];
        let group = &footer.metadata.row_groups[cut.group as usize];
        let (_, own) = origins(columns, &self.hive, |name| footer.schema.contains(name));
        let leaves = own.iter().map(|name| leaves(group, name)).collect();
        Piece(Formats::Parquet(recipe::Piece { file: cut.file, start: cut.start, end: cut.end, rows: group.num_rows() as u64, leaves }))
    }
}
