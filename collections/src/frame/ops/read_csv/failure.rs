//! What `io` says, in the user's words: code, place, the nearest name, the fix to paste, and advice for planning again.

use partita_graph::{Code, DataPlace, Failure};
use partita_io::csv::{self, Dialect, FileInfo, Table};
use partita_io::{Error, ErrorKind, Wider, shown};

use crate::frame::expr::not_found_among;
use crate::frame::replan::{Advice, Change, dtype_of};

/// What a running task knows of its reader.
pub(crate) struct Context<'a> {
    pub source: u64,
    pub file: &'a FileInfo,
    pub dialect: &'a Dialect,
}

/// The failure for an error of `io`.
pub(crate) fn io_failure(error: Error, table: Option<&Table>, context: Option<&Context<'_>>) -> Failure {
    let failure = describe(&error, context);
    let place = error.place();
    let data = DataPlace {
        file: place.file.clone(),
        byte: place.byte,
        row: place.row.or_else(|| row_of(&error, table, context)),
        column: place.column.clone(),
        cell: place.cell.clone(),
    };
    match (data.byte, &data.column) {
        // Where the sentence names the file, a place that is only the file says nothing more.
        (None, None) => failure,
        _ => failure.data(data),
    }
}

/// Rows are not counted while reading, because that costs; a failure looks its row up.
fn row_of(error: &Error, table: Option<&Table>, context: Option<&Context<'_>>) -> Option<u64> {
    let byte = error.place().byte?;
    let (file, dialect) = match (context, table) {
        (Some(context), _) => (context.file, context.dialect),
        (None, Some(table)) => (table.files.iter().find(|file| shown(&file.path) == error.place().file)?, &table.dialect),
        (None, None) => return None,
    };
    csv::locate_row(file, dialect, byte).ok()
}

fn describe(error: &Error, context: Option<&Context<'_>>) -> Failure {
    let place = error.place();
    let file = &place.file;
    let column = place.column.as_deref().unwrap_or_default();
    match error.kind() {
        ErrorKind::Parse { dtype } => {
            let cell = place.cell.as_deref().unwrap_or_default();
            Failure::new(Code::Parse, format!("a cell of `{column}` is not of the declared type {dtype}")).help(format!(
                "declare it wider: .dtype({column:?}, DataType::String), or let the text stand for null: .null_values([{cell:?}])"
            ))
        }
        ErrorKind::WrongInference { wider } => {
            let shown: Vec<String> =
                wider.iter().map(|(name, to, cell)| format!("`{name}` to {} because of {cell:?}", word(*to))).collect();
            let failure = Failure::new(Code::WrongInference, format!("column {} in {file}", shown.join(", ")));
            let types = wider.iter().map(|(name, to, _)| (name.clone(), dtype_of(*to))).collect();
            advised(failure, context, Change::Widen(types))
        }
        ErrorKind::Cancelled => Failure::new(Code::Cancelled, "the task was cancelled while it read"),
        ErrorKind::WrongCut => {
            let failure = Failure::new(Code::WrongCut, format!("{file} has line ends inside quotes where its sample had none"));
            advised(failure, context, Change::ExactCuts)
        }
        ErrorKind::RaggedRow { expected, found } => {
            Failure::new(Code::RaggedRow, format!("a row has {found} fields where the header has {expected}"))
                .help("look at that row; if the separator was guessed wrong: CsvOptions::new().separator(';')")
        }
        ErrorKind::UnclosedQuote => Failure::new(Code::RaggedRow, "a quote is never closed")
            .help("if quotes mean nothing in this file: CsvOptions::new().quote(None)"),
        ErrorKind::InvalidUtf8 => Failure::new(Code::InvalidUtf8, "text is not valid UTF-8")
            .help("replace what cannot be decoded: CsvOptions::new().encoding(Encoding::Lossy)"),
        ErrorKind::ColumnNotFound { columns } => not_found_among(column, &columns.iter().map(String::as_str).collect::<Vec<_>>()),
        other => describe_input(other, file),
    }
}

/// Failures that are known before any task is sent.
fn describe_input(kind: &ErrorKind, file: &str) -> Failure {
    match kind {
        ErrorKind::NoSuchFile { similar } => {
            let failure = Failure::new(Code::NoSuchFile, format!("`{file}` does not exist"));
            match similar {
                Some(name) => failure.detail("did you mean", format!("`{name}`?")),
                None => from_here(failure, file),
            }
        }
        ErrorKind::IsDirectory => Failure::new(Code::IsDirectory, format!("`{file}` is a directory, not a file"))
            .help(format!("name the files in it: {:?}", format!("{}/*.csv", file.trim_end_matches('/')))),
        ErrorKind::NoMatch => from_here(Failure::new(Code::NoMatch, format!("no file matches `{file}`")), file),
        ErrorKind::Unreadable { answer } => Failure::new(Code::Unreadable, format!("`{file}` cannot be read")).detail("storage", answer),
        ErrorKind::EmptyInput => Failure::new(Code::EmptyInput, format!("`{file}` holds no header and no data")),
        ErrorKind::DuplicateColumn => Failure::new(Code::DuplicateColumn, format!("the header of `{file}` names a column twice"))
            .help("give names of your own: CsvOptions::new().columns([…])"),
        ErrorKind::InvalidOption { accepted } => {
            Failure::new(Code::InvalidOption, format!("the option `{file}` of read_csv cannot be used")).detail("accepted", accepted)
        }
        ErrorKind::SchemaMismatch { first, difference } => {
            Failure::new(Code::SchemaMismatch, format!("`{file}` does not have the columns of `{first}`")).detail("difference", difference)
        }
        ErrorKind::Corrupt { answer } => {
            Failure::new(Code::Corrupt, format!("`{file}` could not be decompressed")).detail("decompressor", answer)
        }
        other => Failure::internal(format!("{other:?} in {file}")),
    }
}

/// Where relative paths start.
fn from_here(failure: Failure, file: &str) -> Failure {
    match std::env::current_dir() {
        Ok(folder) if !file.contains("://") && !file.starts_with('/') => failure.detail("working directory", folder.display().to_string()),
        _ => failure,
    }
}

pub(crate) fn word(wider: Wider) -> &'static str {
    match wider {
        Wider::Float64 => "float",
        Wider::String => "text",
    }
}

fn advised(failure: Failure, context: Option<&Context<'_>>, change: Change) -> Failure {
    match context {
        Some(context) => failure.advice(Advice { source: context.source, change }.encode()),
        None => failure,
    }
}
