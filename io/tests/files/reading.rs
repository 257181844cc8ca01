//! Large and packed files through the small window, in batches, and stopped midway.

use std::io::Write;

use partita_io::csv::{self, CsvOptions};
use partita_io::{Compression, Error, ErrorKind};

use crate::rows::{Rows, open, read, scan, scan_all, text_spec, with_file};

/// About 2 MB, with one record that is larger than the window.
fn large() -> (String, Rows) {
    let mut text = "k,v\n".to_owned();
    let mut rows = Rows::new();
    for row in 0..60_000 {
        let value = if row == 30_000 { "long ".repeat(120_000) } else { format!("value {row}") };
        text += &format!("{row},{value}\n");
        rows.push(vec![row.to_string(), value]);
    }
    (text, rows)
}

#[test]
fn windows_and_batches_and_blocks() {
    let (text, rows) = large();
    with_file("t.csv", &text, |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        let whole = csv::blocks(&table, 1 << 30).unwrap();
        assert_eq!(whole.len(), 1);
        for batch in [1, 100_000, usize::MAX] {
            assert!(scan(&table, &whole[0], batch).unwrap() == rows);
        }
        for blocksize in [100_000, 1 << 20] {
            assert!(read(&table, blocksize) == (rows.clone(), false));
            let exact = csv::exact_blocks(&table, blocksize, 2).unwrap();
            assert!(scan_all(&table, &exact).unwrap() == rows);
        }
    });
}

#[test]
fn batches_are_about_as_large_as_asked() {
    let (text, rows) = large();
    with_file("t.csv", &text, |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        let block = csv::blocks(&table, 1 << 30).unwrap()[0];
        let mut batches = Vec::new();
        let mut sink = |decoded: csv::Decoded| {
            batches.push(decoded.rows);
            Ok(())
        };
        csv::scan(&table.files, &block, &text_spec(&table), 200_000, &|| false, &mut sink).unwrap();
        assert!(batches.len() > 3, "{batches:?}");
        assert_eq!(batches.iter().sum::<usize>(), rows.len());
    });
}

/// Packed as one member.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_files_are_one_block_each() {
    let (text, rows) = large();
    let text = text.as_bytes();
    let packed = [
        ("t.csv.gz", gzip(text), Compression::Gzip),
        // The content decides, not the name.
        ("t.csv", zstd::encode_all(text, 1).unwrap(), Compression::Zstd),
        ("t.csv.bz2", bzip2(text), Compression::Bzip2),
        ("unpacked.csv.gz", text.to_vec(), Compression::None),
    ];
    for (name, content, compression) in packed {
        with_file(name, content, |path| {
            let table = open(&path, CsvOptions::new()).unwrap();
            assert_eq!(table.files[0].compression, compression);
            let blocksize = if compression == Compression::None { 1 << 30 } else { 1000 };
            assert_eq!(csv::blocks(&table, blocksize).unwrap().len(), 1);
            assert!(read(&table, blocksize).0 == rows, "{name}");
            assert_eq!(csv::locate_row(&table.files[0], &table.dialect, 4), Ok(2));
        });
    }
}

#[test]
fn several_members_are_one_file() {
    let content = [gzip(b"a,b\n1,2\n"), gzip(b"3,4\n")].concat();
    with_file("t.csv.gz", content, |path| {
        assert_eq!(read(&open(&path, CsvOptions::new()).unwrap(), 100).0, [["1", "2"], ["3", "4"]]);
    });
}

#[test]
fn damaged_packing_is_named() {
    let (text, _) = large();
    let mut content = gzip(text.as_bytes());
    content.truncate(content.len() / 2);
    with_file("t.csv.gz", content, |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        let error = scan_all(&table, &csv::blocks(&table, 1000).unwrap()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error:?}");
        assert_eq!(error.place().file, path);
    });
}

#[test]
fn an_empty_packed_file_has_no_records() {
    with_file("t.csv.gz", gzip(b""), |path| {
        assert_eq!(open(&path, CsvOptions::new()).unwrap_err().kind(), &ErrorKind::EmptyInput);
    });
}

#[test]
fn stopping_and_failing_midway() {
    let (text, _) = large();
    with_file("t.csv", &text, |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        let block = csv::blocks(&table, 1 << 30).unwrap()[0];
        let asked = std::cell::Cell::new(0);
        let cancelled = || asked.replace(asked.get() + 1) == 2;
        let error = csv::scan(&table.files, &block, &text_spec(&table), usize::MAX, &cancelled, &mut |_| Ok(())).unwrap_err();
        assert_eq!((error.kind(), asked.get()), (&ErrorKind::Cancelled, 3));
        let full = || Error::new(ErrorKind::Unreadable { answer: "the disk is full".into() }, "sink");
        let error = csv::scan(&table.files, &block, &text_spec(&table), 1, &|| false, &mut |_| Err(full())).unwrap_err();
        assert_eq!(error, full());
    });
}

#[test]
fn no_wanted_column_still_counts_rows() {
    with_file("t.csv", "a,b\n1,2\n3,4\n", |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        let spec = std::sync::Arc::new(table.spec(&[] as &[&str]));
        let mut rows = 0;
        let mut sink = |decoded: csv::Decoded| {
            rows += decoded.rows;
            Ok(())
        };
        csv::scan(&table.files, &csv::blocks(&table, 100).unwrap()[0], &spec, usize::MAX, &|| false, &mut sink).unwrap();
        assert_eq!(rows, 2);
    });
}
