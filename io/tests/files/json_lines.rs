//! JSON lines: the same rows at any block size, types that are guessed and corrected, and lines that are refused with their place.

use std::io::Write;
use std::sync::Arc;

use partita_io::json::{self, JsonOptions};
use partita_io::write::JsonWriteOptions;
use partita_io::{Compression, Error, ErrorKind, FileTable, Wider};
use polars::prelude::*;
use proptest::prelude::{ProptestConfig, any, prop, proptest};

use crate::rows::with_file;
use crate::tables::{ROOM, every_type, open, read, read_all, same, write};

fn opened(name: &str, options: &JsonOptions) -> Result<Arc<dyn FileTable>, Error> {
    json::open(&[name.to_owned()], options, ROOM)
}

fn at(content: impl AsRef<[u8]>, options: &JsonOptions) -> Result<Arc<dyn FileTable>, Error> {
    with_file("t.jsonl", content, |path| opened(&path, options))
}

/// The rows, in blocks of every size.
#[track_caller]
fn check(content: &str, options: JsonOptions, expected: PolarsResult<DataFrame>) {
    let expected = expected.unwrap();
    with_file("t.jsonl", content, |path| {
        for blocksize in 1..=content.len() as u64 + 1 {
            let table = opened(&path, &options.clone().blocksize(blocksize)).unwrap();
            same(&read_all(&*table), &expected);
            let last = expected.get_column_names()[expected.width() - 1].as_str();
            same(&read(&*table, &[last]).unwrap(), &expected.select([last]).unwrap());
        }
    });
}

#[test]
fn rows() {
    let plain = JsonOptions::new;
    let expected = || df!("a" => [Some(1i64), None, Some(2)], "b" => [Some("x"), Some("y"), None]);
    check("{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\"}\n{\"b\":null,\"a\":2}\n", plain(), expected());
    check("{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\"}\n{\"b\":null,\"a\":2}", plain(), expected());
    check("\u{feff}{\"a\":1,\"b\":\"x\"}\r\n\r\n  {\"b\" : \"y\"}  \r\n\n{\"b\":null,\"a\":2}\r\n", plain(), expected());
    check(
        "{\"t\":\"a \\\"b\\\"\\\\ \\n \\u00fc \\ud83d\\ude00\"}\n{\"t\":\"\"}\n",
        plain(),
        df!("t" => ["a \"b\"\\ \n \u{fc} \u{1f600}", ""]),
    );
    check(
        "{\"\u{fc} \\\"q\\\"\":true}\n{\"\u{fc} \\\"q\\\"\":false}\n{}\n",
        plain(),
        df!("\u{fc} \"q\"" => [Some(true), Some(false), None]),
    );
    check("{\"x\":1}\n{\"x\":2.5}\n{\"x\":-1e3}\n", plain(), df!("x" => [1.0, 2.5, -1000.0]));
    check("{\"x\":9223372036854775807}\n{\"x\":-9223372036854775808}\n", plain(), df!("x" => [i64::MAX, i64::MIN]));
    check("{\"x\":9223372036854775808}\n{\"x\":1}\n", plain(), df!("x" => [9223372036854775808.0, 1.0]));
    check("{\"x\":null}\n{\"x\":null}\n", plain(), df!("x" => [None::<&str>, None]));
}

#[test]
fn values_of_several_kinds_are_text() {
    let content = "{\"x\":1}\n{\"x\":\"a\"}\n{\"x\":true}\n{\"x\":[1,{\"k\":\"v\"}]}\n{\"x\":null}\n{\"x\":0.5}\n";
    let expected = df!("x" => [Some("1"), Some("a"), Some("true"), Some("[1,{\"k\":\"v\"}]"), None, Some("0.5")]);
    check(content, JsonOptions::new(), expected);
}

#[test]
fn nested_values() {
    let content = concat!(
        "{\"l\":[1,2],\"p\":{\"k\":\"a\",\"n\":[{\"z\":true}]}}\n",
        "{\"l\":[],\"p\":{\"k\":null}}\n",
        "{\"p\":null,\"l\":[null,3.5]}\n"
    );
    let lists = |lists: [Option<Vec<Option<f64>>>; 3]| lists.map(|list| list.map(|list| Series::new(PlSmallStr::EMPTY, list)));
    let l = lists([Some(vec![Some(1.0), Some(2.0)]), Some(vec![]), Some(vec![None, Some(3.5)])]);
    with_file("t.jsonl", content, |path| {
        for blocksize in [1u64, 60, 1000] {
            let table = opened(&path, &JsonOptions::new().blocksize(blocksize)).unwrap();
            let found = read_all(&*table);
            assert!(found.column("l").unwrap().equals_missing(&Column::new("l".into(), l.as_slice())), "{found}");
            let fields = found.column("p").unwrap().struct_().unwrap().fields_as_series();
            assert_eq!(fields[0].str().unwrap().iter().collect::<Vec<_>>(), [Some("a"), None, None]);
            let z = Field::new("z".into(), DataType::Boolean);
            assert_eq!(fields[1].dtype(), &DataType::List(Box::new(DataType::Struct(vec![z]))));
            assert_eq!(fields[1].null_count(), 2);
            assert_eq!(found.column("p").unwrap().null_count(), 1);
        }
    });
}

#[test]
fn declared_types() {
    let content = "{\"d\":\"2024-05-01\",\"n\":1}\n{\"d\":null,\"n\":2}\n";
    let options = JsonOptions::new().dtypes([("d", DataType::Date), ("n", DataType::Int16), ("never", DataType::Float64)]);
    let mut expected = df!("d" => [Some("2024-05-01"), None], "n" => [1i64, 2], "never" => [None::<f64>, None]).unwrap();
    for (name, dtype) in [("d", DataType::Date), ("n", DataType::Int16)] {
        let typed = expected.column(name).unwrap().cast(&dtype).unwrap();
        expected.with_column(typed).unwrap();
    }
    check(content, options, Ok(expected));
}

/// Many lines, and an odd one far from all samples.
fn hidden(line: &str) -> String {
    let lines = |count: usize| "{\"a\":1,\"b\":2}\n".repeat(count);
    format!("{}{line}\n{}", lines(3000), lines(9000))
}

fn small_samples() -> JsonOptions {
    JsonOptions::new().sample_bytes(2048u64).blocksize(10_000u64)
}

#[test]
fn a_wrong_guess_is_said_with_the_wider_type_and_can_be_put_right() {
    for (line, wider, cell, dtype) in [
        ("{\"a\":1.5}", Wider::Float64, "1.5", DataType::Float64),
        ("{\"a\":\"text\"}", Wider::String, "text", DataType::String),
        ("{\"a\":[1]}", Wider::String, "[1]", DataType::String),
    ] {
        with_file("t.jsonl", hidden(line), |path| {
            let table = opened(&path, &small_samples()).unwrap();
            assert_eq!(table.schema().get("a"), Some(&DataType::Int64));
            let error = read(&*table, &["a"]).unwrap_err();
            let expected = ErrorKind::WrongInference { wider: vec![("a".into(), wider, cell.into())] };
            assert_eq!((error.kind(), error.place().file.as_str()), (&expected, path.as_str()));
            // Nobody looks at the column: nobody is disturbed.
            assert_eq!(read(&*table, &["b"]).unwrap().column("b").unwrap().null_count(), 1);
            let wide = table.widened(&[("a".into(), dtype.clone())]).unwrap();
            let found = read(&*wide, &["a"]).unwrap();
            assert_eq!((found.column("a").unwrap().dtype(), found.height()), (&dtype, 12_001));
            assert_eq!(found.column("a").unwrap().null_count(), 0);
            assert!(wide.widened(&[("a".into(), dtype)]).is_none());
        });
        let declared = small_samples().dtype("a", DataType::Int64);
        with_file("t.jsonl", hidden(line), |path| {
            let table = opened(&path, &declared).unwrap();
            let error = read(&*table, &["a"]).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Parse { dtype: "i64".into() });
            let place = error.place();
            assert_eq!((place.byte, place.column.as_deref(), place.cell.as_deref()), (Some(3000 * 14), Some("a"), Some(cell)));
            assert!(table.widened(&[("a".into(), DataType::String)]).is_none());
        });
    }
}

#[test]
fn a_key_that_no_sample_showed() {
    with_file("t.jsonl", hidden("{\"a\":1,\"c\":3}"), |path| {
        let error = read(&*opened(&path, &small_samples()).unwrap(), &["a"]).unwrap_err();
        assert_eq!((error.kind(), error.place().column.as_deref()), (&ErrorKind::UnknownKey, Some("c")));
        assert_eq!(error.place().byte, Some(3000 * 14));
        let table = opened(&path, &small_samples().dtype("c", DataType::Int64)).unwrap();
        assert_eq!(read(&*table, &["c"]).unwrap().column("c").unwrap().null_count(), 12_000);
    });
}

#[test]
fn lines_that_are_refused() {
    let refused = |content: &str| at(content, &JsonOptions::new()).map(drop).unwrap_err();
    assert_eq!(refused("").kind(), &ErrorKind::EmptyInput);
    assert_eq!(refused("\n \n").kind(), &ErrorKind::EmptyInput);
    for (content, byte, word) in [
        ("[{\"a\":1}]\n", 0, "array"),
        ("  [\n{\"a\":1}\n]\n", 0, "array"),
        ("1\n", 0, "object"),
        ("{\"a\":1}\n\"b\"\n", 8, "object"),
        ("{\"a\":1}\n{\"a\":}\n", 8, "object"),
        ("{\"a\":1}\n{\"a\":2", 8, "object"),
        ("{\"a\":1}\n{\"a\":2}{\"a\":3}\n", 8, "object"),
        ("a,b\n1,2\n", 0, "object"),
    ] {
        let error = refused(content);
        assert!(matches!(error.kind(), ErrorKind::Damaged { what } if what.contains(word)), "{content:?}: {error:?}");
        assert_eq!(error.place().byte, Some(byte), "{content:?}");
    }
    let latin = at(b"{\"a\":\"caf\xe9\"}\n", &JsonOptions::new()).map(drop).unwrap_err();
    assert!(matches!(latin.kind(), ErrorKind::Damaged { .. }), "{latin:?}");
    let option = at("{\"a\":1}\n", &JsonOptions::new().blocksize("many")).map(drop).unwrap_err();
    assert!(matches!(option.kind(), ErrorKind::InvalidOption { .. }), "{option:?}");
    // What no sample shows is refused while reading, at its byte.
    for (line, byte) in [("{\"a\":}", 5), ("{\"a\":1} x", 8), ("[1]", 0)] {
        with_file("t.jsonl", hidden(line), |path| {
            let error = read(&*opened(&path, &small_samples()).unwrap(), &["b"]).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Damaged { .. }), "{line}: {error:?}");
            let found = error.place().byte.unwrap();
            assert!(found.abs_diff(3000 * 14 + byte) <= 1, "{line}: byte {found}");
        });
    }
    with_file("t.jsonl", "{\"a\":1,\"a\":2}\n", |path| {
        let error = read(&*opened(&path, &JsonOptions::new()).unwrap(), &["a"]).unwrap_err();
        assert_eq!((error.kind(), error.place().column.as_deref()), (&ErrorKind::DuplicateColumn, Some("a")));
    });
    with_file(
        "t.jsonl",
        hidden("{\"a\":1,\"b\":2}").replacen("{\"a\":1,", "{\"p\":{\"k\":1},\"a\":1,", 1) + "{\"p\":{\"j\":1}}\n",
        |path| {
            let declared = small_samples().dtype("p", DataType::Struct(vec![Field::new("k".into(), DataType::Int64)]));
            let error = read(&*opened(&path, &declared).unwrap(), &["p"]).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Parse { .. }), "{error:?}");
            assert_eq!(error.place().cell.as_deref(), Some("{\"j\":1}"));
        },
    );
}

#[test]
fn packed_files() {
    let frame = df!("a" => (0..5000i64).collect::<Vec<_>>(), "b" => (0..5000).map(|i| format!("text {i}")).collect::<Vec<_>>()).unwrap();
    for packing in [Compression::Gzip, Compression::Zstd, Compression::Bzip2] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_string_lossy().into_owned();
        write(&root, "t", JsonWriteOptions::new().compression(packing), &frame, 2).unwrap();
        let table = opened(&root, &JsonOptions::new().blocksize(1000u64)).unwrap();
        assert_eq!(table.partitions().len(), 2, "a packed file is one block");
        same(&read_all(&*table), &frame);
    }
    let mut two = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    two.write_all(b"{\"a\":1}\n").unwrap();
    let mut two = two.finish().unwrap();
    two.extend(two.clone());
    with_file("two.json.gz", two, |path| assert_eq!(read_all(&*opened(&path, &JsonOptions::new()).unwrap()).height(), 2));
}

#[test]
fn what_is_written_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = every_type(40).drop_many(["bytes", "span"]);
    write(&root, "t", JsonWriteOptions::new(), &frame, 3).unwrap();
    let found = read_all(&*open("json", &root, partita_io::TableOptions::new()).unwrap());
    same(
        &found.select(["row", "i64", "text", "bool", "list", "pair"]).unwrap(),
        &frame.select(["row", "i64", "text", "bool", "list", "pair"]).unwrap(),
    );
    let number = |value: Option<f64>| value.filter(|value| value.is_finite()).map(f64::to_bits);
    let bits = |frame: &DataFrame| frame.column("f64").unwrap().f64().unwrap().iter().map(number).collect::<Vec<_>>();
    assert_eq!(bits(&found), bits(&frame));
    for name in ["date", "us", "category"] {
        let texts = frame.column(name).unwrap().cast(&DataType::String).unwrap();
        assert!(found.column(name).unwrap().equals_missing(&texts), "{name}");
    }
    for name in ["bytes", "span"] {
        let column = every_type(1).select([name]).unwrap();
        let refused = write(&format!("{root}/{name}"), "u", JsonWriteOptions::new(), &column, 1).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::UnknownType { .. }), "{name}: {refused:?}");
        assert_eq!(refused.place().column.as_deref(), Some(name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Every number and every text comes back as it was, bit by bit.
    #[test]
    fn numbers_and_texts_come_back(
        rows in prop::collection::vec((prop::option::of(any::<f64>()), prop::option::of(any::<i64>()), prop::option::of(any::<String>())), 1..20),
        blocksize in 1u64..300,
    ) {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let frame = df!(
            "f" => rows.iter().map(|row| finite(row.0)).collect::<Vec<_>>(),
            "i" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "t" => rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>()
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_string_lossy().into_owned();
        write(&root, "t", JsonWriteOptions::new(), &frame, 1).unwrap();
        let dtypes = [("f", DataType::Float64), ("i", DataType::Int64), ("t", DataType::String)];
        let table = opened(&root, &JsonOptions::new().dtypes(dtypes).blocksize(blocksize)).unwrap();
        same(&read_all(&*table), &frame);
    }
}
