//! What `io` says of files that describe themselves and of writes, in the user's words: code, place, the fix to paste, and advice for
//! planning again.
//!
//! It refuses to know what CSV alone can suffer; see [`crate::frame::ops::read_csv`]. Invariant: every failure names the file, or the option,
//! that it comes from.

use partita_graph::{Code, DataPlace, Failure};
use partita_io::{Error, ErrorKind};

use crate::frame::expr::not_found_among;
use crate::frame::ops::read_csv::{io_failure, word};
use crate::frame::replan::{Advice, Change, dtype_of};

/// The failure for an error of `io` that `method` met. `source` names the reader that a task belongs to, for advice.
pub(crate) fn file_failure(error: Error, method: &str, source: Option<u64>) -> Failure {
    let place = error.place();
    let data =
        DataPlace { file: place.file.clone(), byte: place.byte, row: place.row, column: place.column.clone(), cell: place.cell.clone() };
    let failure = match describe(&error, method, source) {
        Some(failure) => failure,
        None => return io_failure(error, None, None),
    };
    match data.byte.is_some() || data.cell.is_some() {
        true => failure.data(data),
        // Where the sentence names the file, a place that is only the file says nothing more.
        false => failure,
    }
}

fn describe(error: &Error, method: &str, source: Option<u64>) -> Option<Failure> {
    let place = error.place();
    let file = &place.file;
    let column = place.column.as_deref().unwrap_or_default();
    Some(match error.kind() {
        ErrorKind::InvalidOption { accepted } => {
            Failure::new(Code::InvalidOption, format!("the option `{file}` of {method} cannot be used")).detail("accepted", accepted)
        }
        ErrorKind::Damaged { what } => {
            let of = if column.is_empty() { String::new() } else { format!("column `{column}` of ") };
            Failure::new(Code::Damaged, format!("{of}`{file}` is damaged, cut off, or of another format")).detail("found", what)
        }
        ErrorKind::UnknownType { what } => {
            let of = if file.is_empty() { String::new() } else { format!(" of `{file}`") };
            Failure::new(Code::Unsupported, format!("column `{column}`{of} has a type that {method} does not know")).detail("type", what)
        }
        ErrorKind::UnknownKey => {
            Failure::new(Code::SchemaMismatch, format!("a record of `{file}` has the key `{column}`, which no sample showed")).help(
                format!("declare it: JsonOptions::new().dtype({column:?}, DataType::String); or look at more: .sample_bytes(\"1MB\")"),
            )
        }
        ErrorKind::Parse { dtype } => Failure::new(Code::Parse, format!("a value of `{column}` in `{file}` is not of the type {dtype}"))
            .help(format!("declare it wider: .dtype({column:?}, DataType::String)")),
        ErrorKind::DuplicateColumn => Failure::new(Code::DuplicateColumn, format!("`{file}` names `{column}` twice")),
        ErrorKind::WrongInference { wider } => {
            let shown = wider.iter().map(|(name, to, cell)| format!("`{name}` to {} because of {cell:?}", word(*to)));
            let shown: Vec<String> = shown.collect();
            let failure = Failure::new(Code::WrongInference, format!("column {} in {file}", shown.join(", ")));
            let types = wider.iter().map(|(name, to, _)| (name.clone(), dtype_of(*to))).collect();
            match source {
                Some(source) => failure.advice(Advice { source, change: Change::Widen(types) }.encode()),
                None => failure,
            }
        }
        ErrorKind::ColumnNotFound { columns } => not_found_among(column, &columns.iter().map(String::as_str).collect::<Vec<_>>()),
        ErrorKind::OutputExists { example } => Failure::new(Code::OutputExists, format!("there is something in `{file}` already"))
            .detail("for example", example)
            .help("replace it: .overwrite(true) in the options; the old files can be read until the new ones are complete"),
        ErrorKind::Unwritable { answer } => Failure::new(Code::Unwritable, format!("`{file}` cannot be written")).detail("storage", answer),
        ErrorKind::PartsMissing { missing } => {
            Failure::new(Code::PartsMissing, format!("parts of `{file}` were written and are not there when they should be published"))
                .detail("missing", missing.join(", "))
                .help("let all workers write to one storage (s3://, a shared folder), and one write at a time into a folder")
        }
        _ => return None,
    })
}
