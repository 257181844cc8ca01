//! How the columns of a file are stored, as plain data that can be sent: what a decoder needs besides the bytes.
//!
//! It refuses to know where the bytes are. Invariant: a layout says all that decoding depends on, so that files of one layout are
//! decoded alike and a task needs no footer.

use std::collections::BTreeMap;

use polars::prelude::PlSmallStr;
use polars_arrow::datatypes::Field;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::read::{ColumnChunkMetadata, RowGroupMetadata};
use serde::{Deserialize, Serialize};

use super::footer::Footer;

/// The columns of a file, in the order in which they are wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) columns: Vec<ColumnLayout>,
}

/// One column: its type, and the types of the leaves that it is stored as. A column that is not nested has one leaf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ColumnLayout {
    pub(super) field: Field,
    pub(super) leaves: Vec<Descriptor>,
}

/// Where the leaf of a column stands in one row group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Leaf {
    pub(super) codec: Compression,
    pub(super) values: i64,
    pub(super) start: u64,
    pub(super) length: u64,
    /// Whether its values are listed before its rows, as far as the list is worth it.
    pub(super) lists_values: bool,
}

impl Layout {
    /// All columns of a file, in its order.
    pub(super) fn of(footer: &Footer) -> Self {
        let mut leaves: BTreeMap<&str, Vec<Descriptor>> = BTreeMap::new();
        for column in footer.metadata.schema_descr.columns() {
            leaves.entry(column.path_in_schema[0].as_str()).or_default().push(column.descriptor.clone());
        }
        let column =
            |field: &Field| ColumnLayout { field: field.clone(), leaves: leaves.get(field.name.as_str()).cloned().unwrap_or_default() };
        Self { columns: footer.arrow.iter_values().map(column).collect() }
    }

    /// These columns only, in this order; names that are not there are passed over.
    pub(super) fn select(&self, names: &[PlSmallStr]) -> Self {
        let find = |name: &PlSmallStr| self.columns.iter().find(|column| column.field.name == *name);
        Self { columns: names.iter().filter_map(find).cloned().collect() }
    }
}

/// The leaves of a column in a row group.
pub(super) fn leaves(group: &RowGroupMetadata, name: &str) -> Vec<Leaf> {
    let leaf = |column: &ColumnChunkMetadata| {
        let range = column.byte_range();
        let lists_values = column.dictionary_page_offset().is_some();
        Leaf { codec: column.compression(), values: column.num_values(), start: range.start, length: range.end - range.start, lists_values }
    };
    group.columns_under_root_iter(name).map_or_else(Vec::new, |columns| columns.map(leaf).collect())
}
