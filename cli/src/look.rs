//! `partita head` and `partita schema`: a look at files.

use std::io::Write;

use clap::Args;
use comfy_table::{Table, presets};
use partita::polars::prelude::{AnyValue, Column, PolarsResult};
use partita::prelude::*;

use crate::exit::Stop;

/// Prints the first rows.
#[derive(Args)]
pub struct Head {
    /// A file, or a pattern in quotes
    file: String,
    /// How many rows
    #[arg(short = 'n', long, default_value_t = 10)]
    rows: usize,
    /// One JSON object a row
    #[arg(long)]
    json: bool,
}

impl Head {
    /// Reads and prints.
    pub fn run(self) -> Result<(), Stop> {
        let rows = DFrame::read_csv_with(&self.file, CsvOptions::new().blocksize("1MB"))?.head(self.rows)?;
        print_frame(&rows, self.json)
    }
}

/// Prints columns and types.
#[derive(Args)]
pub struct Schema {
    /// A file, or a pattern in quotes
    file: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Schema {
    /// Samples and prints.
    pub fn run(self) -> Result<(), Stop> {
        let schema = DFrame::read_csv(&self.file)?.schema()?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let columns: Vec<_> =
                schema.iter().map(|(name, dtype)| serde_json::json!({ "name": name.as_str(), "dtype": dtype.to_string() })).collect();
            writeln!(out, "{}", serde_json::json!({ "columns": columns }))?;
            return Ok(());
        }
        let width = schema.iter_names().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, dtype) in schema.iter() {
            writeln!(out, "{name:width$}  {dtype}")?;
        }
        Ok(())
    }
}

/// A table for people, or a JSON object a row for programs.
pub fn print_frame(frame: &DataFrame, json: bool) -> Result<(), Stop> {
    let mut out = std::io::stdout().lock();
    match json {
        false => writeln!(out, "{}", table(frame))?,
        true => {
            for row in json_rows(frame) {
                writeln!(out, "{row}")?;
            }
        }
    }
    Ok(())
}

/// All rows and all columns: whoever asks for fifty rows gets fifty.
fn table(frame: &DataFrame) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(frame.schema().iter().map(|(name, dtype)| format!("{name}\n{dtype}")));
    for at in 0..frame.height() {
        let cell = |column: &Column| match column.get(at) {
            Ok(AnyValue::String(text)) => text.to_string(),
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        table.add_row(frame.columns().iter().map(cell));
    }
    table
}

/// Each row as a JSON object.
pub fn json_rows(frame: &DataFrame) -> Vec<serde_json::Value> {
    let row = |at: usize| {
        let cell = |column: &Column| (column.name().to_string(), json_value(column.get(at)));
        serde_json::Value::Object(frame.columns().iter().map(cell).collect())
    };
    (0..frame.height()).map(row).collect()
}

fn json_value(value: PolarsResult<AnyValue<'_>>) -> serde_json::Value {
    match value {
        Ok(AnyValue::Null) | Err(_) => serde_json::Value::Null,
        Ok(AnyValue::Boolean(value)) => value.into(),
        Ok(AnyValue::String(text)) => text.into(),
        Ok(AnyValue::StringOwned(text)) => text.as_str().into(),
        Ok(AnyValue::Float64(number)) => number.into(),
        Ok(AnyValue::Float32(number)) => number.into(),
        Ok(value) if value.is_integer() => match value.extract::<i64>() {
            Some(number) => number.into(),
            None => value.extract::<u64>().map_or(serde_json::Value::Null, Into::into),
        },
        Ok(other) => other.to_string().into(),
    }
}
