//! Reads whole tables into text, and says by the plainest means what should come out.

use std::sync::Arc;

use partita_io::csv::{self, Block, CsvOptions, ReadSpec, Table};
use partita_io::{Error, ErrorKind};
use polars::prelude::DataType;

/// Rows of cells.
pub type Rows = Vec<Vec<String>>;

/// Opens content that is written to a file of its own for the time of `work`.
pub fn with_file<T>(name: &str, content: impl AsRef<[u8]>, work: impl FnOnce(String) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    work(path.to_string_lossy().into_owned())
}

/// Opens one name.
pub fn open(name: &str, options: CsvOptions) -> Result<Table, Error> {
    csv::open(&[name.to_owned()], &options)
}

/// All columns, as text; an empty cell is the empty text.
pub fn text_spec(table: &Table) -> Arc<ReadSpec> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let mut spec = table.spec(&names);
    spec.dialect.empty_is_null = false;
    spec.fields.iter_mut().for_each(|field| field.dtype = DataType::String);
    Arc::new(spec)
}

/// The rows of one block, taken in batches of about so many bytes.
pub fn scan(table: &Table, block: &Block, batch: usize) -> Result<Rows, Error> {
    let mut rows = Rows::new();
    csv::scan(&table.files, block, &text_spec(table), batch, &|| false, &mut |decoded| {
        let columns: Vec<_> = decoded.columns.into_iter().map(|column| column.into_column()).collect();
        for row in 0..decoded.rows {
            rows.push(columns.iter().map(|column| column.str().unwrap().get(row).unwrap_or("null").to_owned()).collect());
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The rows of all blocks.
pub fn scan_all(table: &Table, blocks: &[Block]) -> Result<Rows, Error> {
    blocks.iter().map(|block| scan(table, block, usize::MAX)).collect::<Result<Vec<_>, _>>().map(|rows| rows.concat())
}

/// Cuts on trust, and exactly when the trust was wrong. Says whether it was.
pub fn read(table: &Table, blocksize: u64) -> (Rows, bool) {
    let blocks = csv::blocks(table, blocksize).unwrap();
    match scan_all(table, &blocks) {
        Ok(rows) => (rows, false),
        Err(error) if *error.kind() == ErrorKind::WrongCut => {
            (scan_all(table, &csv::exact_blocks(table, blocksize, 2).unwrap()).unwrap(), true)
        }
        Err(error) => panic!("blocks of {blocksize}: {error:?}"),
    }
}

/// All records by csv-core, the header's too.
pub fn reference(text: &[u8]) -> Rows {
    let mut reader = csv_core::Reader::new();
    let (mut rows, mut row, mut cell) = (Rows::new(), Vec::new(), Vec::new());
    let (mut at, mut buffer) = (0, [0; 64]);
    loop {
        let (result, read, written) = reader.read_field(&text[at..], &mut buffer);
        at += read;
        cell.extend_from_slice(&buffer[..written]);
        match result {
            csv_core::ReadFieldResult::Field { record_end } => {
                row.push(String::from_utf8(std::mem::take(&mut cell)).unwrap());
                if record_end {
                    rows.push(std::mem::take(&mut row));
                }
            }
            csv_core::ReadFieldResult::End => return rows,
            _ => {}
        }
    }
}
