//! Arrow files: every type comes back, batch by batch and column by column, and damage is named.

use std::fs::File;

use partita_io::write::{IpcCodec, IpcWriteOptions};
use partita_io::{ErrorKind, ROWS, TableOptions, greatest, least, nulls};
use polars::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcWriter;

use crate::tables::{every_type, files_in, open, read, read_all, same, write};

/// A frame of several chunks as a file of as many record batches.
fn batches(path: &str, frame: &DataFrame, rows: usize) {
    let mut cut = frame.slice(0, rows);
    for start in (rows..frame.height()).step_by(rows) {
        cut.vstack_mut(&frame.slice(start as i64, rows)).unwrap();
    }
    IpcWriter::new(File::create(path).unwrap()).finish(&mut cut).unwrap();
}

#[test]
fn every_type_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let frame = every_type(97);
    for (number, codec) in [IpcCodec::Uncompressed, IpcCodec::Lz4, IpcCodec::Zstd].into_iter().enumerate() {
        for root in [folder.path().join(number.to_string()).to_string_lossy().into_owned(), format!("memory://every-arrow/{number}")] {
            let written = write(&root, "t", IpcWriteOptions::new().compression(codec), &frame, 3).unwrap();
            assert_eq!((written.rows, written.files), (97, 3));
            let table = open("ipc", &root, TableOptions::new()).unwrap();
            same(&read_all(&*table), &frame);
            same(
                &read(&*table, &["text", "pair", "category", "row"]).unwrap(),
                &frame.select(["text", "pair", "category", "row"]).unwrap(),
            );
            assert_eq!(read(&*table, &[]).unwrap().height(), 97);
        }
    }
}

#[test]
fn no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = every_type(0);
    write(&root, "t", IpcWriteOptions::new(), &frame, 2).unwrap();
    let table = open("ipc", &root, TableOptions::new()).unwrap();
    assert_eq!(table.files().len(), 2);
    same(&read_all(&*table), &frame);
}

/// However the batches are joined to partitions, the rows are the same, once and in order.
#[test]
fn any_partitioning_has_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow").to_string_lossy().into_owned();
    // Categories would need a dictionary for each batch, which a file cannot have.
    let frame = every_type(55).drop("category").unwrap();
    batches(&path, &frame, 10);
    let half = std::fs::metadata(&path).unwrap().len() / 2;
    let mut counts = Vec::new();
    for blocksize in [1, half, 1 << 30] {
        let table = open("ipc", &path, TableOptions::new().blocksize(blocksize)).unwrap();
        counts.push(table.partitions().len());
        same(&read_all(&*table), &frame);
        same(&read(&*table, &["list", "f64"]).unwrap(), &frame.select(["list", "f64"]).unwrap());
        assert_eq!(read(&*table, &[]).unwrap().height(), 55);
    }
    assert_eq!((counts[0], counts[2]), (6, 1));
    assert!(counts[1] > 1 && counts[1] < 6, "{counts:?}");
}

#[test]
fn files_must_have_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let root = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let frame = df!("a" => [1i64], "b" => ["x"]).unwrap();
    write(&root("1"), "t", IpcWriteOptions::new(), &frame, 1).unwrap();
    write(&root("2"), "u", IpcWriteOptions::new(), &frame.select(["b", "a"]).unwrap(), 1).unwrap();
    let all = folder.path().to_string_lossy().into_owned();
    // Their order is the first file's.
    same(&read_all(&*open("ipc", &all, TableOptions::new()).unwrap()), &frame.vstack(&frame).unwrap());
    write(&root("2"), "v", IpcWriteOptions::new().overwrite(true), &df!("a" => [1.5], "b" => ["x"]).unwrap(), 1).unwrap();
    let error = open("ipc", &all, TableOptions::new()).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SchemaMismatch { difference, .. } if difference.contains("f64")), "{error:?}");
}

#[test]
fn folders_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let mut frame = df!("x" => [1i64, 2, 3], "day" => [Some("2024-05-01"), None, Some("2024-05-02")]).unwrap();
    let day = frame.column("day").unwrap().cast(&DataType::Date).unwrap();
    frame.with_column(day).unwrap();
    write(&root, "t", IpcWriteOptions::new().partition_by(["day"]), &frame, 1).unwrap();
    let files = ["day=2024-05-01/part-00000.arrow", "day=2024-05-02/part-00000.arrow", "day=__HIVE_DEFAULT_PARTITION__/part-00000.arrow"];
    assert_eq!(files_in(&root), files);
    let table = open("ipc", &root, TableOptions::new()).unwrap();
    same(&read_all(&*table).sort(["x"], SortMultipleOptions::default()).unwrap(), &frame);
    // What a footer does not say is not known; what a folder's name says is.
    let known = table.statistics(&["x".into(), "day".into()]);
    let names: Vec<&str> = known.get_column_names().into_iter().map(|name| name.as_str()).collect();
    assert_eq!(names, [ROWS, least("day").as_str(), greatest("day").as_str(), nulls("day").as_str()]);
    assert_eq!(known.column(&least("day")).unwrap().null_count(), 1);
    assert_eq!(known.column(ROWS).unwrap().null_count(), 3);
}

#[test]
fn damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("good").to_string_lossy().into_owned();
    write(&root, "t", IpcWriteOptions::new(), &every_type(50), 1).unwrap();
    let good = std::fs::read(format!("{root}/part-00000.arrow")).unwrap();
    let bad = folder.path().join("bad.arrow").to_string_lossy().into_owned();
    let opened = |content: &[u8]| {
        std::fs::write(&bad, content).unwrap();
        open("ipc", &bad, TableOptions::new()).map(drop).unwrap_err()
    };
    for length in (0..good.len()).step_by(97).chain([good.len() - 1]) {
        let error = opened(&good[..length]);
        assert!(matches!(error.kind(), ErrorKind::Damaged { .. }), "{length}: {error:?}");
        assert_eq!(error.place().file, bad);
    }
    let end = good.len();
    let mut long = good.clone();
    long[end - 10..end - 6].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(opened(&long).kind(), ErrorKind::Damaged { what } if what.contains("footer")));
    let text = opened(b"a,b\n1,2\nthis is a CSV file\n");
    assert!(matches!(text.kind(), ErrorKind::Damaged { what } if what.contains("ARROW1")), "{text:?}");

    // The footer is whole, and the batch is not there any more.
    let footer = u32::from_le_bytes(good[end - 10..end - 6].try_into().unwrap()) as usize;
    let mut empty = good.clone();
    empty[8..end - 10 - footer].fill(0);
    std::fs::write(&bad, &empty).unwrap();
    let table = open("ipc", &bad, TableOptions::new()).unwrap();
    let error = read(&*table, &["i64"]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged { .. }), "{error:?}");
    assert_eq!(error.place().file, bad);
}

#[test]
fn a_file_that_changes_between_opening_and_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.arrow").to_string_lossy().into_owned();
    let frame = df!("a" => [1i64, 2, 3], "b" => [1i64, 2, 3]).unwrap();
    batches(&path, &frame, 1);
    let table = open("ipc", &path, TableOptions::new()).unwrap();
    // Other columns in as many bytes.
    batches(&path, &df!("a" => [1i64, 2, 3], "c" => [1i64, 2, 3]).unwrap(), 1);
    let error = read(&*table, &["a", "b"]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged { what } if what.contains("changed")), "{error:?}");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = read(&*table, &["a"]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreadable { .. } | ErrorKind::Damaged { .. }), "{error:?}");
    assert_eq!(error.place().file, path);
}
