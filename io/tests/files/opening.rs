//! What is found out about files, and how what is wrong with them is named.

use partita_io::ErrorKind;
use partita_io::csv::{self, CsvOptions, Encoding};
use polars::prelude::DataType;

use crate::reading::gzip;
use crate::rows::{open, read, with_file};

fn dtypes(text: &str, options: CsvOptions) -> Vec<(String, DataType)> {
    with_file("t.csv", text, |path| {
        let table = open(&path, options).unwrap();
        table.columns.into_iter().map(|column| (column.name, column.dtype)).collect()
    })
}

macro_rules! infers {
    ($($name:ident: $text:expr => [$($dtype:ident),*];)*) => {$(
        #[test]
        fn $name() {
            let found: Vec<_> = dtypes($text, CsvOptions::new()).into_iter().map(|(_, dtype)| dtype).collect();
            assert_eq!(found, [$(DataType::$dtype),*]);
        }
    )*};
}

infers! {
    each_kind: "a,b,c,d\n1,1.5,x,true\n2,2,y,FALSE\n" => [Int64, Float64, String, Boolean];
    nulls: "a,b\n,x\n3,\n" => [Int64, String];
    only_nulls: "a,b\n,1\n,2\n" => [String, Int64];
    header_only: "a,b\n" => [String, String];
    semicolons: "a;b\n1;2,5\n" => [Int64, String];
    tabs_and_returns: "a\tb\r\n1\t2.5\r\n" => [Int64, Float64];
}

#[test]
fn declared_types_win() {
    let found = dtypes("a,b\n1,2\n", CsvOptions::new().dtype("a", DataType::Float32));
    assert_eq!(found, [("a".to_owned(), DataType::Float32), ("b".to_owned(), DataType::Int64)]);
}

#[test]
fn null_values_and_usecols() {
    let found = dtypes("a,b,c\n1,NA,x\nNA,2,y\n", CsvOptions::new().null_values(["NA"]).usecols(["b", "a"]));
    assert_eq!(found, [("a".to_owned(), DataType::Int64), ("b".to_owned(), DataType::Int64)]);
}

#[test]
fn names_for_files_without_header() {
    let found = dtypes("x,2\ny,4\n", CsvOptions::new().columns(["k", "v"]));
    assert_eq!(found, [("k".to_owned(), DataType::String), ("v".to_owned(), DataType::Int64)]);
    let replaced = dtypes("a,b\nx,2\n", CsvOptions::new().columns(["k", "v"]).has_header(true));
    assert_eq!(replaced, found);
}

#[test]
fn the_middle_and_the_end_are_looked_at() {
    for place in [5_100, 9_990] {
        let mut text = "a,b\n".to_owned();
        for row in 0..10_000 {
            text += if row == place { "1.5,\"x\ny\"\n" } else { "1,y\n" };
        }
        with_file("t.csv", &text, |path| {
            let table = open(&path, CsvOptions::new().sample_bytes(2_048)).unwrap();
            assert_eq!(table.columns[0].dtype, DataType::Float64);
            assert!(table.has_quoted_newlines);
            assert!(table.estimated_rows.abs_diff(10_000) < 200, "{}", table.estimated_rows);
            let samples = table.sample_frame();
            assert!(samples.height() > 1_000 && samples.height() < 2_000, "{}", samples.height());
        });
    }
}

#[test]
fn records_that_are_longer_than_samples_have_types_too() {
    // The header is short and ends in the sample; the first row of data does not.
    for letters in [3_000, 100_000, 700_000] {
        let mut text = "a;b;c\n".to_owned();
        for row in 0..12 {
            text += &format!("{row};\"{}\ny\";{}.5\n", "x".repeat(letters), row);
        }
        for (name, content) in [("t.csv", text.clone().into_bytes()), ("t.csv.gz", gzip(text.as_bytes()))] {
            with_file(name, content, |path| {
                let table = open(&path, CsvOptions::new().sample_bytes(2_048)).unwrap();
                let found: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.dtype.clone())).collect();
                assert_eq!(found, [("a", DataType::Int64), ("b", DataType::String), ("c", DataType::Float64)], "{name} {letters}");
                assert!(table.has_quoted_newlines, "{name} {letters}");
                // How many rows a packed file holds is guessed from its size, which says little of so many equal letters.
                assert!(name.ends_with(".gz") || (6..25).contains(&table.estimated_rows), "{letters}: {}", table.estimated_rows);
            });
        }
    }
}

#[test]
fn a_record_without_an_end_is_named_with_the_option() {
    let long = "x".repeat(65 << 20);
    assert_eq!(fails(&format!("a,b\n1,\"{long}\n"), CsvOptions::new()).0, ErrorKind::UnclosedQuote);
    let text = format!("a,b\n1,{long}\n2,y\n");
    with_file("t.csv", &text, |path| {
        let error = open(&path, CsvOptions::new()).unwrap_err();
        assert_eq!(error.place().file, "sample_bytes");
        assert!(matches!(error.kind(), ErrorKind::InvalidOption { accepted } if accepted.contains(&path)), "{error:?}");
        let table = open(&path, CsvOptions::new().sample_bytes("100MB")).unwrap();
        assert_eq!((table.columns[0].dtype.clone(), table.estimated_rows), (DataType::Int64, 2));
    });
}

#[test]
fn what_is_found_out_can_be_sent() {
    with_file("t.csv", "a,b\n1,x\n", |path| {
        let table = open(&path, CsvOptions::new()).unwrap();
        assert_eq!((table.estimated_rows, table.sample_frame().height(), table.total_bytes()), (1, 1, 8));
        let blocks = csv::blocks(&table, 1 << 20).unwrap();
        assert_eq!((blocks.len(), blocks[0].start, blocks[0].end), (1, 4, 8));
        assert!(blocks[0].first);
    });
}

#[test]
fn several_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_string_lossy().into_owned()
    };
    let second = file("part.2.csv", "a,b\n3,4\n");
    let tenth = file("part.10.csv", "a,b\n5,x\n");
    let first = file("part.1.csv", "");
    file("other.txt", "nothing");
    let pattern = folder.path().join("part.*.csv").to_string_lossy().into_owned();
    let table = csv::open(&[pattern.clone(), second.clone()], &CsvOptions::new()).unwrap();
    assert_eq!(table.files.iter().map(|file| &file.path).collect::<Vec<_>>(), [&first, &second, &tenth]);
    assert_eq!(table.columns[1].dtype, DataType::String);
    assert_eq!(read(&table, 100).0, [["3", "4"], ["5", "x"]]);

    let deep = folder.path().join("**/part.2.csv").to_string_lossy().into_owned();
    assert_eq!(open(&deep, CsvOptions::new()).unwrap().files.len(), 1);

    file("part.3.csv", "b,a\n1,2\n");
    let error = open(&pattern, CsvOptions::new()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::SchemaMismatch { first: second, difference: "in another order: \"b\", \"a\"".into() });
    assert!(error.place().file.ends_with("part.3.csv"));
}

fn fails(text: &str, options: CsvOptions) -> (ErrorKind, Option<String>) {
    with_file("t.csv", text, |path| {
        let error = open(&path, options).unwrap_err();
        (error.kind().clone(), error.place().column.clone())
    })
}

#[test]
fn what_cannot_be_a_table() {
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(fails("", CsvOptions::new()).0, ErrorKind::EmptyInput);
    assert_eq!(fails("\n\n", CsvOptions::new()).0, ErrorKind::EmptyInput);
    assert_eq!(fails("#x", CsvOptions::new().comment("#")).0, ErrorKind::EmptyInput);
    assert_eq!(fails("a,b,a\n1,2,3\n", CsvOptions::new()), (ErrorKind::DuplicateColumn, named("a")));
    assert_eq!(fails("\"a,b\n1,2\n", CsvOptions::new()).0, ErrorKind::UnclosedQuote);
    let columns = vec!["a".to_owned(), "b".to_owned()];
    let unknown = (ErrorKind::ColumnNotFound { columns }, named("z"));
    assert_eq!(fails("a,b\n1,2\n", CsvOptions::new().usecols(["z"])), unknown);
    assert_eq!(fails("a,b\n1,2\n", CsvOptions::new().dtype("z", DataType::Int8)), unknown);
    assert!(matches!(fails("a,b\n1,2\n", CsvOptions::new().columns(["only"])).0, ErrorKind::InvalidOption { .. }));
    assert!(matches!(fails("PAR1\u{15}x", CsvOptions::new()).0, ErrorKind::Unreadable { .. }));
    assert!(matches!(fails("a\n1\n", CsvOptions::new().blocksize("much")).0, ErrorKind::InvalidOption { .. }));
}

#[test]
fn what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(name("sales.csv"), "a\n1\n").unwrap();
    let kind = |name: &str| open(name, CsvOptions::new()).unwrap_err().kind().clone();
    assert_eq!(kind(&name("sale.csv")), ErrorKind::NoSuchFile { similar: Some(name("sales.csv")) });
    assert_eq!(kind(&name("entirely-other")), ErrorKind::NoSuchFile { similar: None });
    assert_eq!(kind(&name("no-folder/sales.csv")), ErrorKind::NoSuchFile { similar: None });
    assert_eq!(kind(&name("*.tsv")), ErrorKind::NoMatch);
    assert_eq!(kind(&name("")), ErrorKind::IsDirectory);
    assert!(matches!(kind("ftp://host/x.csv"), ErrorKind::InvalidOption { .. }));
    assert!(matches!(kind(&name("[")), ErrorKind::InvalidOption { .. }));
}

#[test]
fn a_name_with_brackets_is_a_name() {
    with_file("t[1].csv", "a\n1\n", |path| assert_eq!(open(&path, CsvOptions::new()).unwrap().files[0].path, path));
}

#[test]
fn bytes_that_are_not_utf8() {
    let text = b"a,b\n\xff,1\n";
    with_file("t.csv", text, |path| {
        let lossy = open(&path, CsvOptions::new().encoding(Encoding::Lossy)).unwrap();
        assert_eq!(read(&lossy, 100).0, [["\u{fffd}", "1"]]);
        let strict = open(&path, CsvOptions::new()).unwrap();
        let block = csv::blocks(&strict, 100).unwrap()[0];
        assert_eq!(crate::rows::scan(&strict, &block, usize::MAX).unwrap_err().kind(), &ErrorKind::InvalidUtf8);
    });
}
