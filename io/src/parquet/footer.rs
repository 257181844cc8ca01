//! The footer of a Parquet file: its row groups, where their columns stand, what is known of their values, and the types.
//!
//! It refuses to read anything but the end of the file. Invariant: whatever the bytes are, the answer is a footer whose columns lie in
//! the file, or an error that names the file.

use std::convert::Infallible;
use std::sync::Arc;

use polars::prelude::{ArrowDataType, ArrowSchema, DataType, PlSmallStr, Schema, SchemaRef, TimeZone};
use polars_buffer::Buffer;
use polars_parquet::parquet::read::deserialize_metadata;
use polars_parquet::read::{FileMetadata, infer_schema};

use crate::damage::{damaged, guarded};
use crate::error::{Error, ErrorKind, Result};
use crate::ranges::fetch;
use crate::resolve::Found;

/// Read from the end at once: most footers are smaller, and a second request costs more than these bytes.
const TAIL: u64 = 64 << 10;
/// The length of the footer, and the mark.
const END: u64 = 8;
/// The mark at the start besides.
const SMALLEST: u64 = 12;
/// The most digits of a decimal.
const DIGITS: usize = 38;

/// What a footer says.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    pub(crate) metadata: Arc<FileMetadata>,
    pub(crate) arrow: ArrowSchema,
    pub(crate) schema: SchemaRef,
}

/// Reads the footer of a file.
///
/// # Errors
/// `Damaged`, `UnknownType`, `DuplicateColumn`, what the storage gives.
pub(crate) fn read(found: &Found) -> Result<Footer> {
    let name = &found.name;
    let bytes = bytes(name, found.facts.size)?;
    let metadata = guarded(name, None, || deserialize_metadata(bytes))?;
    lies_in_the_file(name, found.facts.size, &metadata)?;
    let mut arrow = guarded(name, None, || infer_schema(&metadata))?;
    arrow.iter_values_mut().for_each(|field| known_zones(&mut field.dtype));
    let schema = polars_schema(name, &arrow)?;
    Ok(Footer { metadata: Arc::new(metadata), arrow, schema: Arc::new(schema) })
}

/// Zones that are a distance from UTC of no whole hours, which polars has no name for, become UTC: the moments are the same.
fn known_zones(dtype: &mut ArrowDataType) {
    match dtype {
        ArrowDataType::Timestamp(_, zone)
            if zone.as_deref().is_some_and(|zone| zone.starts_with(['+', '-'])) && TimeZone::opt_try_new(zone.clone()).is_err() =>
        {
            *zone = Some(PlSmallStr::from_static("UTC"));
        }
        ArrowDataType::List(field) | ArrowDataType::LargeList(field) | ArrowDataType::FixedSizeList(field, _) => {
            known_zones(&mut field.dtype)
        }
        ArrowDataType::Struct(fields) => fields.iter_mut().for_each(|field| known_zones(&mut field.dtype)),
        _ => {}
    }
}

/// From the footer's first byte to the end of the file.
fn bytes(name: &str, size: u64) -> Result<Buffer<u8>> {
    if size < SMALLEST {
        return Err(damaged(name, Some(0), format!("{size} bytes are no Parquet file: the smallest has {SMALLEST}")));
    }
    let end = |length: u64| {
        fetch(name, size, std::slice::from_ref(&(size - length..size))).map(|found| found.into_iter().next().unwrap_or_default())
    };
    let tail = end(TAIL.min(size))?;
    let (length, mark) = tail[tail.len() - END as usize..].split_at(4);
    match mark {
        b"PAR1" => {}
        b"PARE" => return Err(damaged(name, Some(size - 4), "its footer is encrypted, which is not supported")),
        _ => return Err(damaged(name, Some(size - 4), "it does not end with PAR1: it was cut off, or it is no Parquet file")),
    }
    let length = u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]])) + END;
    if length > size - 4 {
        return Err(damaged(name, Some(size - END), format!("its footer should have {length} bytes, and the file has {size}")));
    }
    match usize::try_from(length) {
        Ok(length) if length <= tail.len() => {
            let start = tail.len() - length;
            Ok(tail.sliced(start..))
        }
        _ => end(length),
    }
}

fn lies_in_the_file(name: &str, size: u64, metadata: &FileMetadata) -> Result<()> {
    for (number, group) in metadata.row_groups.iter().enumerate() {
        for column in group.parquet_columns() {
            // A negative offset or length is a huge one here.
            let range = column.byte_range();
            if range.end > size {
                let path = column.descriptor().path_in_schema.join(".");
                let what = format!("column `{path}` of row group {number} should end at byte {}, and the file has {size}", range.end);
                return Err(damaged(name, Some(range.start), what));
            }
        }
    }
    Ok(())
}

/// The types as polars has them.
pub(crate) fn polars_schema(name: &str, arrow: &ArrowSchema) -> Result<Schema> {
    let mut schema = Schema::with_capacity(arrow.len());
    for field in arrow.iter_values() {
        // Types that this program was built without make polars panic.
        let dtype = guarded(name, None, || Ok::<_, Infallible>(DataType::from_arrow_field(field)));
        let dtype = dtype.map_err(|error| unknown(name, &field.name, &error))?;
        if let Some((digits, after)) = impossible_decimal(&dtype) {
            let what = format!("decimals of {digits} digits, {after} of them after the point; 1 to {DIGITS} are supported");
            let mut error = Error::new(ErrorKind::UnknownType { what }, name);
            error.place_mut().column = Some(field.name.to_string());
            return Err(error);
        }
        if schema.insert(field.name.clone(), dtype).is_some() {
            let mut error = Error::new(ErrorKind::DuplicateColumn, name);
            error.place_mut().column = Some(field.name.to_string());
            return Err(error);
        }
    }
    Ok(schema)
}

/// The first decimal inside a type that has no digits, or more than [`DIGITS`]: 128 bits hold no others.
fn impossible_decimal(dtype: &DataType) -> Option<(usize, usize)> {
    match dtype {
        DataType::Decimal(digits, after) => (!(1..=DIGITS).contains(digits) || after > digits).then_some((*digits, *after)),
        DataType::List(inner) | DataType::Array(inner, _) => impossible_decimal(inner),
        DataType::Struct(fields) => fields.iter().find_map(|field| impossible_decimal(field.dtype())),
        _ => None,
    }
}

fn unknown(name: &str, column: &PlSmallStr, error: &Error) -> Error {
    let what = match error.kind() {
        ErrorKind::Damaged { what } => what.clone(),
        other => format!("{other:?}"),
    };
    let mut error = Error::new(ErrorKind::UnknownType { what }, name);
    error.place_mut().column = Some(column.to_string());
    error
}
