//! The slow twin of the decoder: csv-core finds the fields, the standard library parses them, one cell after the other. It shares
//! no kernel with [`super::Decoder`] and refuses to be quick; tests compare the two.
//!
//! The invariant: it says what a CSV file means here. Where the decoder differs, the decoder is wrong.

use super::{Decoded, DecodedColumn, Dialect, Encoding, Field, ReadSpec};
use crate::error::{Error, ErrorKind, Place, Result, Wider};
use csv_core::{ReadFieldResult, Reader, ReaderBuilder, Terminator};
use polars::prelude::*;
use std::collections::BTreeMap;

/// A field as csv-core found it.
struct Cell {
    start: usize,
    text: Vec<u8>,
    quoted: bool,
}

/// The records of `bytes` that start before `limit`, decoded. `offset` is the place of the first byte in its file.
///
/// # Errors
/// Those of [`super::Decoder::push`] with `last`; of wrong inferences, those before the first other error.
pub fn decode_reference(bytes: &[u8], offset: u64, limit: usize, spec: &ReadSpec) -> Result<Decoded> {
    let mut reader = reader(&spec.dialect);
    let mut cells: Vec<Vec<Option<String>>> = vec![Vec::new(); spec.fields.len()];
    let mut conflicts = Conflicts::default();
    let (mut at, mut rows) = (0, 0);
    let outcome = loop {
        at += passed_over(&bytes[at..], &spec.dialect, spec.width);
        if at >= bytes.len() || at >= limit {
            break Ok(());
        }
        let decoded =
            record(&mut reader, bytes, &mut at, spec.dialect.quote).and_then(|record| one(&record, spec, &mut cells, &mut conflicts));
        if let Err(mut error) = decoded {
            let byte = error.place().byte.map(|byte| byte + offset);
            error.place_mut().byte = byte;
            break Err(error);
        }
        rows += 1;
    };
    if let Some(error) = conflicts.error(spec, offset) {
        return Err(error);
    }
    outcome?;
    let columns = spec.fields.iter().zip(cells).map(|(field, cells)| DecodedColumn::Plain(column(field, &cells))).collect();
    Ok(Decoded { rows, columns })
}

fn reader(dialect: &Dialect) -> Reader {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(dialect.separator).terminator(Terminator::Any(b'\n')).quoting(dialect.quote.is_some());
    let mut reader = builder.quote(dialect.quote.unwrap_or(b'"')).build();
    // csv-core takes a byte order mark off the first bytes that it ever sees; these are none of the file's.
    reader.read_field(b"\n", &mut [0; 8]);
    reader
}

/// Bytes of blank lines and comments before the next record.
fn passed_over(bytes: &[u8], dialect: &Dialect, width: usize) -> usize {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let line = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |newline| newline + 1);
        let comment = dialect.comment.as_deref().filter(|prefix| !prefix.is_empty());
        let is_comment = comment.is_some_and(|prefix| rest.starts_with(prefix.as_bytes()));
        let is_blank = width > 1 && (rest.starts_with(b"\n") || rest.starts_with(b"\r\n"));
        if line == 0 || !(is_comment || is_blank) {
            return at;
        }
        at += line;
    }
}

/// Reads the record at `at` and moves it on.
fn record(reader: &mut Reader, bytes: &[u8], at: &mut usize, quote: Option<u8>) -> Result<Vec<Cell>> {
    let mut record = Vec::new();
    let blank = [&b"\n"[..], b"\r\n"].into_iter().find(|blank| bytes[*at..].starts_with(blank));
    if let Some(blank) = blank {
        // csv-core would pass over it; with one column it is a record.
        record.push(Cell { start: *at, text: Vec::new(), quoted: false });
        *at += blank.len();
        return Ok(record);
    }
    loop {
        let start = *at;
        let (mut text, mut size) = (vec![0; 64], 0);
        let mut tail: &[u8] = b"\n";
        let ended = loop {
            let from_file = *at < bytes.len();
            let input = if from_file { &bytes[*at..] } else { tail };
            if input.is_empty() {
                let place = Place { byte: Some(start as u64), ..Place::default() };
                reader.reset();
                return Err(Error::at(ErrorKind::UnclosedQuote, place));
            }
            let (result, read, written) = reader.read_field(input, &mut text[size..]);
            size += written;
            if from_file {
                *at += read
            } else {
                tail = &tail[read..]
            }
            match result {
                ReadFieldResult::OutputFull => text.resize(2 * text.len(), 0),
                ReadFieldResult::Field { record_end } => break record_end,
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::End => break true,
            }
        };
        text.truncate(size);
        let raw = &bytes[start..*at];
        if ended && raw.ends_with(b"\r\n") {
            text.pop();
        }
        record.push(Cell { start, text, quoted: quote.is_some() && raw.first().copied() == quote });
        if ended {
            return Ok(record);
        }
    }
}

/// Appends the wanted cells of a record in their normal form.
fn one(record: &[Cell], spec: &ReadSpec, cells: &mut [Vec<Option<String>>], conflicts: &mut Conflicts) -> Result<()> {
    if record.len() != spec.width {
        let place = Place { byte: Some(record[0].start as u64), ..Place::default() };
        return Err(Error::at(ErrorKind::RaggedRow { expected: spec.width, found: record.len() }, place));
    }
    for (index, field) in spec.fields.iter().enumerate() {
        let cell = &record[field.position];
        let is_text = field.dtype == DataType::String;
        let listed = spec.dialect.null_values.iter().any(|value| value.as_bytes() == cell.text);
        let empty = cell.text.is_empty() && (!is_text || spec.dialect.empty_is_null);
        let value = if !cell.quoted && (listed || empty) { None } else { value(field, cell, index, spec, conflicts)? };
        cells[index].push(value);
    }
    Ok(())
}

/// The cell's text if it is of the field's type.
fn value(field: &Field, cell: &Cell, index: usize, spec: &ReadSpec, conflicts: &mut Conflicts) -> Result<Option<String>> {
    let shown = || String::from_utf8_lossy(&cell.text).chars().take(80).collect::<String>();
    let fail = |kind| {
        let (column, cell_text) = (Some(field.name.clone()), Some(shown()));
        Err(Error::at(kind, Place { byte: Some(cell.start as u64), column, cell: cell_text, ..Place::default() }))
    };
    let text = String::from_utf8_lossy(&cell.text).into_owned();
    if field.dtype == DataType::String {
        let broken = std::str::from_utf8(&cell.text).is_err() && spec.dialect.encoding == Encoding::Utf8;
        return if broken { fail(ErrorKind::InvalidUtf8) } else { Ok(Some(text)) };
    }
    let trimmed = text.trim_matches(' ');
    if fits(&field.dtype, trimmed) {
        return Ok(Some(trimmed.to_owned()));
    }
    if field.declared {
        return fail(ErrorKind::Parse { dtype: field.dtype.to_string() });
    }
    let wider = if field.dtype.is_integer() && trimmed.parse::<f64>().is_ok() { Wider::Float64 } else { Wider::String };
    conflicts.add(index, cell.start as u64, wider, shown());
    Ok(None)
}

fn fits(dtype: &DataType, text: &str) -> bool {
    match dtype {
        DataType::Int8 => text.parse::<i8>().is_ok(),
        DataType::Int16 => text.parse::<i16>().is_ok(),
        DataType::Int32 => text.parse::<i32>().is_ok(),
        DataType::Int64 => text.parse::<i64>().is_ok(),
        DataType::UInt8 => text.parse::<u8>().is_ok(),
        DataType::UInt16 => text.parse::<u16>().is_ok(),
        DataType::UInt32 => text.parse::<u32>().is_ok(),
        DataType::UInt64 => text.parse::<u64>().is_ok(),
        DataType::Float32 | DataType::Float64 => text.parse::<f64>().is_ok(),
        DataType::Boolean => ["true", "false"].contains(&text.to_ascii_lowercase().as_str()),
        _ => true,
    }
}

fn column(field: &Field, cells: &[Option<String>]) -> Column {
    fn parsed<T: std::str::FromStr>(cells: &[Option<String>]) -> Vec<Option<T>> {
        cells.iter().map(|cell| cell.as_ref().and_then(|text| text.to_ascii_lowercase().parse().ok())).collect()
    }
    let name = PlSmallStr::from_str(&field.name);
    match field.dtype {
        DataType::Int8 => Column::new(name, parsed::<i8>(cells)),
        DataType::Int16 => Column::new(name, parsed::<i16>(cells)),
        DataType::Int32 => Column::new(name, parsed::<i32>(cells)),
        DataType::Int64 => Column::new(name, parsed::<i64>(cells)),
        DataType::UInt8 => Column::new(name, parsed::<u8>(cells)),
        DataType::UInt16 => Column::new(name, parsed::<u16>(cells)),
        DataType::UInt32 => Column::new(name, parsed::<u32>(cells)),
        DataType::UInt64 => Column::new(name, parsed::<u64>(cells)),
        DataType::Float32 => Column::new(name, parsed::<f32>(cells)),
        DataType::Float64 => Column::new(name, parsed::<f64>(cells)),
        DataType::Boolean => Column::new(name, parsed::<bool>(cells)),
        ref dtype => {
            let text = Column::new(name, cells);
            text.cast(dtype).unwrap_or(text)
        }
    }
}

/// Inferred columns that do not hold: the first byte, the type needed, a cell that needs it.
#[derive(Default)]
struct Conflicts(BTreeMap<usize, (u64, String, Wider, String)>);

impl Conflicts {
    fn add(&mut self, index: usize, byte: u64, wider: Wider, cell: String) {
        let known = self.0.entry(index).or_insert_with(|| (byte, cell.clone(), wider, cell.clone()));
        if wider > known.2 {
            (known.2, known.3) = (wider, cell);
        }
    }

    fn error(self, spec: &ReadSpec, offset: u64) -> Option<Error> {
        let (index, (byte, first, ..)) = self.0.iter().min_by_key(|(_, conflict)| conflict.0)?;
        let (column, cell) = (Some(spec.fields[*index].name.clone()), Some(first.clone()));
        let place = Place { byte: Some(byte + offset), column, cell, ..Place::default() };
        let named = self.0.iter().map(|(index, conflict)| (spec.fields[*index].name.clone(), conflict.2, conflict.3.clone()));
        Some(Error::at(ErrorKind::WrongInference { wider: named.collect() }, place))
    }
}
