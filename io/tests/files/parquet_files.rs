//! Parquet files: every type comes back, only what is wanted is fetched, bounds are true, and damage is named.

use std::cell::Cell;
use std::sync::Arc;

use partita_io::write::{ParquetCodec, ParquetWriteOptions};
use partita_io::{ErrorKind, FileTable, ROWS, TableOptions, Test, greatest, least, nulls};
use polars::prelude::*;
use proptest::prelude::{ProptestConfig, prop, proptest};

use crate::tables::{every_type, files_in, open, read, read_all, same, write};
use crate::web::Server;

fn small_groups() -> ParquetWriteOptions {
    ParquetWriteOptions::new().row_group_rows(10)
}

fn tested(columns: &[&str], keep: impl Fn(&DataFrame) -> Option<BooleanChunked> + Send + Sync + 'static) -> Test {
    Test { columns: columns.iter().map(|name| (*name).into()).collect(), keep: Arc::new(keep), spent: Vec::new() }
}

#[test]
fn every_type_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let frame = every_type(97);
    for (number, codec) in [ParquetCodec::Uncompressed, ParquetCodec::Snappy, ParquetCodec::Gzip, ParquetCodec::Lz4, ParquetCodec::Zstd]
        .into_iter()
        .enumerate()
    {
        for root in [folder.path().join(number.to_string()).to_string_lossy().into_owned(), format!("memory://every-type/{number}")] {
            let written = write(&root, "t", small_groups().compression(codec), &frame, 3).unwrap();
            assert_eq!((written.rows, written.files), (97, 3));
            let table = open("parquet", &root, TableOptions::new()).unwrap();
            same(&read_all(&*table), &frame);
            same(&read(&*table, &["text", "pair", "row"]).unwrap(), &frame.select(["text", "pair", "row"]).unwrap());
            assert_eq!(read(&*table, &[]).unwrap().height(), 97);
        }
    }
}

#[test]
fn no_rows_and_no_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = every_type(0);
    write(&root, "t", small_groups(), &frame, 2).unwrap();
    let table = open("parquet", &root, TableOptions::new()).unwrap();
    assert_eq!((table.files().len(), table.partitions().len()), (2, 0));
    assert_eq!(&**table.schema(), &**frame.schema());
}

/// Whatever partitions are asked for, the rows are the same, once and in order.
#[test]
fn any_partitioning_has_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = every_type(55);
    write(&root, "t", small_groups(), &frame, 2).unwrap();
    let mut counts = Vec::new();
    for blocksize in [1u64, 500, 2000, 1 << 30] {
        let table = open("parquet", &root, TableOptions::new().blocksize(blocksize)).unwrap();
        counts.push(table.partitions().len());
        same(&read_all(&*table), &frame);
        let rows = table.partitions().iter().flat_map(|pieces| pieces.clone()).map(|piece| table.rows(piece).unwrap()).sum::<u64>();
        assert_eq!(rows, 55);
    }
    assert_eq!((counts[0], counts[3]), (55, 1));
    assert!(counts[1] > counts[2] || counts[2] == 1, "{counts:?}");
}

#[test]
fn what_a_test_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = every_type(100);
    write(&root, "t", ParquetWriteOptions::new().row_group_rows(50), &frame, 1).unwrap();
    let table = open("parquet", &root, TableOptions::new().blocksize(1u64 << 30)).unwrap();
    let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
    let recipe = table.recipe(&names);
    // Single rows, a run, scattered rows, all and none.
    type Wanted = fn(i64) -> bool;
    let wanted: [(&str, Wanted); 5] = [
        ("one", |row| row == 71),
        ("run", |row| (20..80).contains(&row)),
        ("odd", |row| row % 2 == 1),
        ("all", |_| true),
        ("none", |_| false),
    ];
    for (name, wanted) in wanted {
        let test = tested(&["row"], move |frame| {
            Some(frame.column("row").unwrap().i64().unwrap().iter().map(|row| row.map(wanted)).collect::<BooleanChunked>())
        });
        let mut found = frame.clear();
        for piece in table.partitions().iter().flat_map(|pieces| pieces.clone()) {
            found.vstack_mut(&recipe.read(&table.piece(piece, &names), std::slice::from_ref(&test), &|| false).unwrap()).unwrap();
        }
        let mask: BooleanChunked = (0..100).map(|row| Some(wanted(row))).collect();
        assert!(found.equals_missing(&frame.filter(&mask).unwrap()), "{name}\n{found}");
    }
}

#[test]
fn stopping_midway() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    write(&root, "t", small_groups(), &every_type(10), 1).unwrap();
    let table = open("parquet", &root, TableOptions::new()).unwrap();
    let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
    let asked = Cell::new(0);
    let stop = || asked.replace(asked.get() + 1) == 2;
    let error = table.recipe(&names).read(&table.piece(0, &names), &[], &stop).unwrap_err();
    assert_eq!((error.kind(), asked.get()), (&ErrorKind::Cancelled, 3));
    let test = tested(&["row"], |_| None);
    let error = table.recipe(&names).read(&table.piece(0, &names), std::slice::from_ref(&test), &|| false).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Cancelled);
}

#[test]
fn files_must_have_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let root = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let frame = df!("a" => [1i64], "b" => ["x"]).unwrap();
    write(&root("1"), "t", small_groups(), &frame, 1).unwrap();
    let all = folder.path().to_string_lossy().into_owned();
    for (other, word) in [
        (df!("a" => [1i64]).unwrap(), "no column \"b\""),
        (df!("a" => [1i64], "b" => ["x"], "c" => [1]).unwrap(), "\"c\""),
        (df!("a" => [1.5], "b" => ["x"]).unwrap(), "f64"),
    ] {
        write(&root("2"), "u", small_groups().overwrite(true), &other, 1).unwrap();
        let error = open("parquet", &all, TableOptions::new()).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::SchemaMismatch { difference, .. } if difference.contains(word)), "{error:?}");
        assert!(error.place().file.contains("/2/"), "{error:?}");
    }
    // The order of columns is the first file's.
    write(&root("2"), "v", small_groups().overwrite(true), &frame.select(["b", "a"]).unwrap(), 1).unwrap();
    same(&read_all(&*open("parquet", &all, TableOptions::new()).unwrap()), &frame.vstack(&frame).unwrap());
}

#[test]
fn damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("good").to_string_lossy().into_owned();
    write(&root, "t", ParquetWriteOptions::new(), &every_type(50), 1).unwrap();
    let good = std::fs::read(format!("{root}/part-00000.parquet")).unwrap();
    let bad = folder.path().join("bad.parquet").to_string_lossy().into_owned();
    let opened = |content: &[u8]| {
        std::fs::write(&bad, content).unwrap();
        open("parquet", &bad, TableOptions::new()).map(drop).unwrap_err()
    };
    for length in (0..good.len()).step_by(97).chain([good.len() - 1]) {
        let error = opened(&good[..length]);
        assert!(matches!(error.kind(), ErrorKind::Damaged { .. }), "{length}: {error:?}");
        assert_eq!(error.place().file, bad);
    }
    let mut long = good.clone();
    let end = long.len();
    long[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(opened(&long).kind(), ErrorKind::Damaged { what } if what.contains("footer")));
    let mut zeros = good.clone();
    let footer = u32::from_le_bytes(good[end - 8..end - 4].try_into().unwrap()) as usize;
    zeros[end - 8 - footer..end - 8].fill(0);
    assert!(matches!(opened(&zeros).kind(), ErrorKind::Damaged { .. }));
    let text = opened(b"a,b\n1,2\nthis is a CSV file\n");
    assert!(matches!(text.kind(), ErrorKind::Damaged { what } if what.contains("PAR1")), "{text:?}");

    // The footer is whole, and pages are not: reading says which column, and the others can be read.
    let mut pages = good.clone();
    pages[4..end - 8 - footer].fill(0);
    std::fs::write(&bad, &pages).unwrap();
    let table = open("parquet", &bad, TableOptions::new()).unwrap();
    let error = read(&*table, &["text"]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged { .. }), "{error:?}");
    assert_eq!((error.place().file.as_str(), error.place().column.as_deref()), (bad.as_str(), Some("text")));
    assert!(error.place().byte.is_some());

    // A file that became shorter since it was opened.
    std::fs::write(&bad, &good).unwrap();
    let table = open("parquet", &bad, TableOptions::new()).unwrap();
    std::fs::write(&bad, &good[..good.len() / 2]).unwrap();
    let names: Vec<&str> = table.schema().iter_names().map(|name| name.as_str()).collect();
    assert!(matches!(read(&*table, &names).unwrap_err().kind(), ErrorKind::Unreadable { .. }));
}

#[test]
fn only_what_is_wanted_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    // Ten columns of 2 MiB each, in four row groups: numbers that do not pack.
    let rows = 1usize << 18;
    let column = |c: u64| {
        let values = (0..rows as u64).map(|row| (row ^ (c << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15)).map(|v| v as i64);
        Column::new(format!("c{c}").into(), values.collect::<Vec<_>>())
    };
    let mut columns: Vec<Column> = (0..10).map(column).collect();
    columns.push(Column::new("sorted".into(), (0..rows as i64).collect::<Vec<_>>()));
    let frame = DataFrame::new(rows, columns).unwrap();
    let options = ParquetWriteOptions::new().compression(ParquetCodec::Uncompressed).row_group_rows(rows as u64 / 4);
    write(&root, "t", options, &frame, 1).unwrap();
    let content = std::fs::read(format!("{root}/part-00000.parquet")).unwrap();
    let whole = content.len();
    let (server, address) = Server::start([("t.parquet".to_owned(), content)].into(), None);

    let (table, footer) = server.cost(|| open("parquet", &format!("{address}/t.parquet"), TableOptions::new()).unwrap());
    assert!(footer <= 70 << 10, "opening reads the footer only");
    let (found, one) = server.cost(|| read(&*table, &["c3"]).unwrap());
    assert_eq!(found.column("c3").unwrap(), frame.column("c3").unwrap());
    assert!(one < whole / 8, "one column of eleven: {one} of {whole} bytes");
    // A test that nothing passes reads its own column and no other.
    let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
    let none = tested(&["sorted"], |frame| Some(BooleanChunked::full(PlSmallStr::EMPTY, false, frame.height())));
    let ((), tested) = server.cost(|| {
        for piece in 0..table.partitions().last().unwrap().end {
            assert_eq!(table.recipe(&names).read(&table.piece(piece, &names), std::slice::from_ref(&none), &|| false).unwrap().height(), 0);
        }
    });
    assert!(tested < whole / 8, "the test's column: {tested} of {whole} bytes");
}

fn bound(statistics: &DataFrame, name: &str, row: usize) -> String {
    match statistics.column(name).map(|column| column.get(row).unwrap().into_static()) {
        Err(_) => "none".to_owned(),
        Ok(AnyValue::StringOwned(text)) => text.to_string(),
        Ok(value) => value.to_string(),
    }
}

#[test]
fn bounds_of_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = df!(
        "i" => [Some(3i64), Some(-1), None, None, None, None],
        "f" => [1.5, f64::NAN, 2.5, -0.5, f64::NAN, f64::NAN],
        "s" => ["b", "a", "x", "y", "", "z"],
        "big" => [u32::MAX, 1, 2, 3, 4, 5]
    );
    let mut frame = frame.unwrap();
    frame.with_column(Series::new("d".into(), [1i32, 2, 3, 4, 5, 6]).cast(&DataType::Date).unwrap().into_column()).unwrap();
    write(&root, "t", ParquetWriteOptions::new().row_group_rows(2), &frame, 1).unwrap();
    let table = open("parquet", &root, TableOptions::new()).unwrap();
    let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
    let known = table.statistics(&names);
    assert_eq!(known.column(ROWS).unwrap(), &Column::new(ROWS.into(), [2u64, 2, 2]));
    let column = |name: &str| [bound(&known, &least(name), 0), bound(&known, &greatest(name), 0), bound(&known, &nulls(name), 0)];
    assert_eq!(column("i"), ["-1", "3", "0"]);
    assert_eq!(column("s"), ["a", "b", "0"]);
    assert_eq!(column("d"), ["1970-01-02", "1970-01-03", "0"]);
    // What the writer says of unsigned numbers, of numbers that may be NaN, and of nulls where there are some is not believed.
    assert_eq!(column("big"), ["null", "null", "0"]);
    assert_eq!(column("f"), ["null", "null", "0"]);
    assert_eq!([bound(&known, &least("i"), 2), bound(&known, &nulls("i"), 2)], ["null", "null"]);
}

#[test]
fn folders_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let frame = df!("x" => [1i64, 2, 3, 4], "y" => [2024i64, 2025, 2024, 2025], "m" => [Some("a/b"), None, Some(""), Some("a/b")]).unwrap();
    write(&root, "t", ParquetWriteOptions::new().partition_by(["y", "m"]), &frame, 1).unwrap();
    assert_eq!(
        files_in(&root),
        [
            "y=2024/m=/part-00000.parquet",
            "y=2024/m=a%2Fb/part-00000.parquet",
            "y=2025/m=__HIVE_DEFAULT_PARTITION__/part-00000.parquet",
            "y=2025/m=a%2Fb/part-00000.parquet"
        ]
    );
    let table = open("parquet", &root, TableOptions::new()).unwrap();
    let found = read_all(&*table).sort(["x"], SortMultipleOptions::default()).unwrap();
    same(&found, &frame);
    let known = table.statistics(&["y".into(), "m".into()]);
    assert_eq!((0..4).map(|row| bound(&known, &least("y"), row)).collect::<Vec<_>>(), ["2024", "2024", "2025", "2025"]);
    assert_eq!((0..4).map(|row| bound(&known, &nulls("m"), row)).collect::<Vec<_>>(), ["0", "0", "1", "0"]);
    let text = open("parquet", &root, TableOptions::new().hive_dtype("y", DataType::String)).unwrap();
    assert_eq!(text.schema().get("y"), Some(&DataType::String));
    let plain = open("parquet", &root, TableOptions::new().hive(false)).unwrap();
    assert_eq!(plain.schema().len(), 1);
    let pattern = open("parquet", &format!("{root}/y=2024/*/*.parquet"), TableOptions::new()).unwrap();
    assert_eq!(pattern.schema().iter_names().map(|name| name.as_str()).collect::<Vec<_>>(), ["x", "m"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever bounds say, no value lies outside of them.
    #[test]
    fn bounds_are_true(values in prop::collection::vec(prop::option::of(-50i64..50), 1..60), rows in 1u64..20, cut in 1u64..2000) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_string_lossy().into_owned();
        let series = |dtype: DataType| Series::new(PlSmallStr::EMPTY, &values).cast(&dtype).unwrap();
        let dtypes = [DataType::Int64, DataType::Int8, DataType::Float32, DataType::String, DataType::Date, DataType::Duration(TimeUnit::Nanoseconds)];
        let columns = dtypes.iter().enumerate().map(|(at, dtype)| series(dtype.clone()).with_name(format!("c{at}").into()).into_column());
        let frame = DataFrame::new(values.len(), columns.collect()).unwrap();
        write(&root, "t", ParquetWriteOptions::new().row_group_rows(rows), &frame, 1).unwrap();
        let table = open("parquet", &root, TableOptions::new().blocksize(cut)).unwrap();
        let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
        let known = table.statistics(&names);
        for piece in 0..known.height() {
            let found = table.recipe(&names).read(&table.piece(piece as u32, &names), &[], &|| false).unwrap();
            for name in &names {
                let values = found.column(name).unwrap().as_materialized_series();
                let at = |name: String| known.column(&name).unwrap().as_materialized_series().slice(piece as i64, 1);
                let (low, high) = (at(least(name)), at(greatest(name)));
                assert!(!values.lt(&low).unwrap().any() && !values.gt(&high).unwrap().any(), "{name} {found} {low} {high}");
                let missing = at(nulls(name)).u64().unwrap().get(0);
                assert!(missing.is_none_or(|missing| missing == values.null_count() as u64));
            }
        }
    }
}

/// What polars' own reader makes of a file.
fn by_polars(path: &str) -> DataFrame {
    let reader = polars_io::parquet::read::ParquetReader::new(std::fs::File::open(path).unwrap());
    polars_io::SerReader::finish(reader).unwrap()
}

fn decimals(values: &[Option<&str>], digits: usize, after: usize) -> Series {
    Series::new(PlSmallStr::EMPTY, values).cast(&DataType::Decimal(digits, after)).unwrap()
}

/// Bounds of each column in each row group are those of its values; of the columns `unknown` there are none.
fn bounds_are_those_of(table: &dyn FileTable, frame: &DataFrame, group_rows: usize, unknown: &[&str]) {
    let names: Vec<PlSmallStr> = table.schema().iter_names().cloned().collect();
    let known = table.statistics(&names);
    for (group, start) in (0..frame.height()).step_by(group_rows).enumerate() {
        for name in &names {
            let values = frame.column(name).unwrap().as_materialized_series().slice(start as i64, group_rows);
            let expected = match unknown.contains(&name.as_str()) {
                true => ["null".to_owned(), "null".to_owned()],
                false => [values.min_reduce(), values.max_reduce()].map(|bound| bound.unwrap().value().to_string()),
            };
            assert_eq!([bound(&known, &least(name), group), bound(&known, &greatest(name), group)], expected, "{name} in group {group}");
        }
    }
}

/// Files of pyarrow 26: decimals of 3, 12, 20 and 38 digits, stored as bytes of all widths or as numbers where those hold them; times of
/// all units; two row groups of four rows.
#[test]
fn decimals_and_times_of_another_writer() {
    for name in ["decimals_as_bytes", "decimals_as_numbers"] {
        let path = format!("{}/tests/files/data/{name}.parquet", env!("CARGO_MANIFEST_DIR"));
        let expected = by_polars(&path);
        let table = open("parquet", &path, TableOptions::new()).unwrap();
        same(&read_all(&*table), &expected);
        let texts = |name: &str| (0..8).map(|row| expected.column(name).unwrap().get(row).unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!(texts("d3"), ["-1.25", "0.00", "null", "9.99", "7.50", "-9.99", "3.01", "null"]);
        assert_eq!(expected.column("d38").unwrap().dtype(), &DataType::Decimal(38, 6));
        for unit in ["t_ms", "t_us", "t_ns"] {
            assert_eq!(texts(unit)[..4], ["00:00:00", "01:02:03", "null", "23:59:59.999"]);
        }
        // Bounds of times say no unit; only those that count as polars does are known.
        bounds_are_those_of(&*table, &expected, 4, &["t_ms", "t_us"]);
    }
    let wide = format!("{}/tests/files/data/decimal_of_50_digits.parquet", env!("CARGO_MANIFEST_DIR"));
    let error = open("parquet", &wide, TableOptions::new()).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnknownType { what } if what.contains("50 digits")), "{error:?}");
    assert_eq!(error.place().column.as_deref(), Some("w"));
}

#[test]
fn decimals_and_times_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let values = ["-1.25", "0", "99999.99", "-7.5", "3.01", "-99999.99"].map(Some);
    let values = [&values[..], &[None, Some("12.5")][..]].concat();
    let column = |name: &str, series: Series| series.with_name(name.into()).into_column();
    let nanoseconds = [0, 1, 86_399_999_999_999, 5, 6, 7].map(Some);
    let times = Series::new(PlSmallStr::EMPTY, [&nanoseconds[..], &[None, Some(3_600_000_000_000i64)][..]].concat());
    let columns = vec![
        column("numbers32", decimals(&values, 7, 2)),
        column("numbers64", decimals(&values, 15, 4)),
        column("bytes", decimals(&values, 38, 10)),
        column("time", times.cast(&DataType::Time).unwrap()),
    ];
    let frame = DataFrame::new(8, columns).unwrap();
    write(&root, "t", ParquetWriteOptions::new().row_group_rows(4), &frame, 1).unwrap();
    let table = open("parquet", &root, TableOptions::new()).unwrap();
    same(&read_all(&*table), &frame);
    same(&by_polars(&format!("{root}/part-00000.parquet")), &frame);
    // What the writer says of decimals that are stored as bytes is not believed: it may have compared them without their signs.
    bounds_are_those_of(&*table, &frame, 4, &["bytes"]);
}
