//! Kinds of columns that are neither plain numbers nor text: arrays of fixed length, whole numbers of 128 bits, times with a zone,
//! enumerations, decimals. As keys and beside keys of every operation, in files of every format, and as other programs write them.

use super::check::{executors, failure};
use partita::polars::prelude::*;
use partita::polars::series::ops::NullBehavior;
use partita::prelude::{CsvOptions, CsvWriteOptions, IpcWriteOptions, JsonOptions, JsonWriteOptions, ParquetOptions, ParquetWriteOptions};
use partita::{Code, DFrame, Join};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, any, prop_oneof, proptest};

const WIDE: i128 = 1 << 80;
/// The kinds, by the names of their columns.
const KINDS: [&str; 7] = ["pair", "wide", "unsigned", "utc", "berlin", "size", "price"];

fn zoned(unit: TimeUnit, zone: &'static str) -> DataType {
    DataType::Datetime(unit, TimeZone::opt_try_new(Some(zone)).unwrap())
}

fn sizes() -> DataType {
    DataType::from_frozen_categories(FrozenCategories::new(["small", "middle", "large"]).unwrap())
}

/// Few different values of each kind, nulls among them, and the number of the row.
fn kinds() -> DataFrame {
    let rows = 30i64;
    let some = |row: i64| row % 7 != 3;
    let each = |of: fn(i64) -> i64| (0..rows).map(|row| some(row).then(|| of(row))).collect::<Vec<Option<i64>>>();
    let wide =
        Int128Chunked::from_iter_options("wide".into(), each(|row| row % 4 - 2).into_iter().map(|x| x.map(|x| i128::from(x) * WIDE)));
    let unsigned = |row: Option<i64>| row.map(|row| u128::MAX - row as u128);
    let unsigned = UInt128Chunked::from_iter_options("unsigned".into(), each(|row| row % 3).into_iter().map(unsigned));
    // Around the hour that Berlin has twice.
    let hours = each(|row| 1_729_990_800_000 + row % 5 * 1_800_000);
    let columns = vec![
        Column::new("i".into(), (0..rows).collect::<Vec<_>>()),
        Column::new("k".into(), (0..rows).map(|row| row * row % 3).collect::<Vec<_>>()),
        wide.into_column(),
        unsigned.into_column(),
        Column::new("utc".into(), each(|row| row % 4 * 1_000_001 - 2)),
        Column::new("berlin".into(), hours),
        Column::new("size".into(), (0..rows).map(|row| some(row).then(|| ["small", "large"][row as usize % 2])).collect::<Vec<_>>()),
        Column::new("price".into(), each(|row| row % 3 - 1)),
    ];
    let pair = concat_arr(vec![col("price"), col("k")]).unwrap();
    let typed = DataFrame::new(rows as usize, columns).unwrap().lazy().with_columns([
        when(col("price").is_null()).then(lit(NULL)).otherwise(pair).alias("pair"),
        col("utc").cast(DataType::Datetime(TimeUnit::Microseconds, None)).cast(zoned(TimeUnit::Microseconds, "UTC")),
        col("berlin").cast(zoned(TimeUnit::Milliseconds, "UTC")).cast(zoned(TimeUnit::Milliseconds, "Europe/Berlin")),
        col("size").cast(sizes()),
        col("price").cast(DataType::Decimal(20, 2)),
    ]);
    typed.select([col("i"), col("k"), cols(KINDS).as_expr()]).collect().expect("the kinds exist")
}

/// Each row as text; in any order.
fn rows(frame: &DataFrame, in_order: bool) -> Vec<String> {
    let cell = |column: &Column, row: usize| format!("{:?}", column.get(row).expect("in bounds").into_static());
    let row = |row: usize| frame.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join("|");
    let mut rows: Vec<String> = (0..frame.height()).map(row).collect();
    if !in_order {
        rows.sort();
    }
    rows
}

/// What differs from polars on the whole, of several cases, so that one run tells all of it.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn case(&mut self, case: &str, operation: impl Fn(&DFrame) -> DFrame, expected: PolarsResult<DataFrame>, in_order: bool) {
        let expected = match expected {
            Ok(expected) => expected,
            Err(e) => return self.0.push(format!("{case}: polars: {e}")),
        };
        for partitions in [1, 4] {
            let frame = operation(&DFrame::from_polars(kinds(), partitions));
            for (name, executor) in executors() {
                let case = format!("{case}, {name}, {partitions} partitions");
                match frame.compute_on(&*executor) {
                    Err(e) => self.0.push(format!("{case}: {e}")),
                    Ok(found) if found.frame.schema() != expected.schema() => {
                        self.0.push(format!("{case}: {:?} is not {:?}", found.frame.schema(), expected.schema()));
                    }
                    Ok(found) if rows(&found.frame, in_order) != rows(&expected, in_order) => {
                        self.0.push(format!("{case}:\n{}\nis not\n{expected}", found.frame));
                    }
                    Ok(_) => {}
                }
            }
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.is_empty(), "{} faults\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[test]
fn keys_of_groups_and_windows() {
    let mut faults = Faults::default();
    let whole = kinds().lazy();
    let aggs = [len().alias("rows"), col("i").sum().alias("sum"), col("i").first().alias("first"), col("i").median().alias("median")];
    for key in KINDS {
        let grouped = whole.clone().group_by([col(key)]).agg(aggs.clone()).collect();
        faults.case(&format!("groups of {key}"), |frame| frame.group_by([key]).agg(aggs.clone()), grouped, false);
        let both = whole.clone().group_by([col(key), col("k")]).agg(aggs.clone()).collect();
        faults.case(&format!("groups of {key} and k"), |frame| frame.group_by([key, "k"]).agg(aggs.clone()), both, false);
        let over = || col("i").sum().over([col(key)]).unwrap().alias("sum");
        let windows = whole.clone().select([col("i"), over()]).collect();
        faults.case(&format!("windows of {key}"), |frame| frame.select([col("i"), over()]), windows.clone(), true);
        let within = |frame: &DFrame| frame.group_by([key]).transform([col("i").sum().alias("sum")]).select(["i", "sum"]);
        faults.case(&format!("transform by {key}"), within, windows, false);
        let first = whole.clone().group_by([col(key)]).agg([col("i").min()]).select([col("i")]).collect();
        faults.case(&format!("first of {key}"), |frame| frame.group_by([key]).bottom_k(1, ["i"]).select(["i"]), first, false);
    }
}

#[test]
fn keys_of_rows() {
    let mut faults = Faults::default();
    let whole = kinds().lazy();
    for key in KINDS {
        let distinct = whole.clone().select([col(key)]).unique(None, UniqueKeepStrategy::Any).collect();
        faults.case(&format!("unique {key}"), |frame| frame.select([key]).unique(), distinct.clone(), false);
        let count = distinct.and_then(|distinct| df!(key => [distinct.height() as IdxSize]));
        faults.case(&format!("number of {key}"), |frame| frame.select([key]).n_unique(), count, true);
        faults.case(&format!("shuffle by {key}"), |frame| frame.shuffle([key], 3), whole.clone().collect(), false);
        if key != "pair" {
            let options = SortMultipleOptions::default().with_maintain_order(true).with_nulls_last(true);
            let sorted = whole.clone().sort_by_exprs([col(key), col("i")], options.clone()).collect();
            faults.case(&format!("sort by {key}"), |frame| frame.sort_with([key, "i"], options.clone()), sorted, true);
            let down = SortMultipleOptions::default().with_order_descending_multi([true, false]);
            let most = whole
                .clone()
                .filter(col(key).is_not_null())
                .sort_by_exprs([col(key), col("i")], down)
                .limit(4)
                .select([col(key)])
                .collect();
            faults.case(&format!("largest {key}"), |frame| frame.top_k(4, [key]).select([key]), most, true);
        }
        let other = || whole.clone().filter(col("i").lt(lit(9))).select([col(key).alias("its"), col("i").alias("j")]);
        for (how, join) in [(JoinType::Inner, Join::inner([key])), (JoinType::Left, Join::left([key]))] {
            let joined =
                whole.clone().join(other(), [col(key)], [col("its")], JoinArgs::new(how.clone())).select([col("i"), col("j")]).collect();
            for broadcast in [true, false] {
                let join = join.clone().right_on(["its"]).broadcast(broadcast);
                let ours = |frame: &DFrame| {
                    let other = frame.filter(col("i").lt(lit(9))).select([col(key).alias("its"), col("i").alias("j")]);
                    frame.join(&other, join.clone()).select(["i", "j"])
                };
                faults.case(&format!("{how:?} by {key}, broadcast {broadcast}"), ours, joined.clone(), false);
            }
        }
    }
}

#[test]
fn beside_keys() {
    let mut faults = Faults::default();
    let whole = kinds().lazy();
    let mut aggs = Vec::new();
    for name in KINDS {
        let own = |expr: Expr, what: &str| expr.alias(format!("{name} {what}"));
        aggs.extend([
            own(col(name).first(), "first"),
            own(col(name).last(), "last"),
            own(col(name).count(), "count"),
            own(col(name).n_unique(), "n"),
        ]);
        if name != "pair" {
            aggs.extend([own(col(name).min(), "min"), own(col(name).max(), "max")]);
        }
    }
    let sums = ["wide", "price"].map(|name| col(name).sum().alias(format!("{name} sum")));
    aggs.extend(sums);
    faults.case(
        "groups",
        |frame| frame.group_by(["k"]).agg(aggs.clone()),
        whole.clone().group_by([col("k")]).agg(aggs.clone()).collect(),
        false,
    );
    faults.case("whole", |frame| frame.agg(aggs.clone()), whole.clone().select(aggs.clone()).collect(), true);
    let one_by_one = |expr: fn(Expr) -> Expr| KINDS.iter().map(move |name| expr(col(*name))).collect::<Vec<_>>();
    let shifted = one_by_one(|column| column.shift(lit(2)));
    faults.case("shift", |frame| frame.select(shifted.clone()), whole.clone().select(shifted.clone()).collect(), true);
    let filled = one_by_one(|column| column.fill_null_with_strategy(FillNullStrategy::Forward(None)));
    faults.case("fill", |frame| frame.select(filled.clone()), whole.clone().select(filled.clone()).collect(), true);
    let running = || [col("wide").cum_max(false), col("utc").cum_min(false), col("berlin").diff(lit(1), NullBehavior::Ignore)];
    faults.case("running", |frame| frame.select(running()), whole.clone().select(running()).collect(), true);
    let twice = concat([whole.clone(), whole.clone()], UnionArgs::default()).and_then(LazyFrame::collect);
    faults.case("concat", |frame| DFrame::concat([frame.clone(), frame.clone()]), twice, true);
    faults.case("repartition", |frame| frame.repartition(3), whole.clone().collect(), true);
    faults.case("tail", |frame| frame.slice(20, 5), whole.clone().slice(20, 5).collect(), true);
    let options = ExplodeOptions { empty_as_null: true, keep_nulls: true };
    let exploded = whole.clone().select([col("i"), col("pair")]).explode(by_name(["pair"], true, false), options).collect();
    faults.case("explode", |frame| frame.select(["i", "pair"]).explode(["pair"]), exploded, true);
}

#[test]
fn times_with_a_zone_are_windows_of_time() {
    let frame = df!("t" => (0..48i64).map(|hour| 1_729_980_000_000_000 + hour * 3_600_000_000).collect::<Vec<_>>(), "x" => vec![1i64; 48]);
    let zone =
        |frame: DataFrame| frame.lazy().with_columns([col("t").cast(zoned(TimeUnit::Microseconds, "Europe/Berlin"))]).collect().unwrap();
    let whole = zone(frame.unwrap());
    let days = whole.clone().lazy().group_by([col("t").dt().truncate(lit("1d"))]).agg([col("x").sum()]).collect().unwrap();
    let window = RollingOptionsDynamicWindow {
        window_size: Duration::parse("1d"),
        min_periods: 1,
        closed_window: ClosedWindow::Right,
        fn_params: None,
    };
    let of_days = whole.clone().lazy().select([col("t"), col("x").rolling_sum_by(col("t"), window)]).collect().unwrap();
    // A day of 25 hours, when clocks are put back.
    assert!(days.column("x").unwrap().i64().unwrap().iter().any(|hours| hours == Some(25)));
    for partitions in [1, 5] {
        for (name, executor) in executors() {
            let frame = DFrame::from_polars(whole.clone(), partitions);
            let ours = frame.group_by([col("t").dt().truncate(lit("1d"))]).agg([col("x").sum()]).compute_on(&*executor).unwrap().frame;
            assert_eq!(rows(&ours, false), rows(&days, false), "{name}, {partitions}");
            let resampled = frame.resample("t", "1d").agg([col("x").sum()]).compute_on(&*executor).unwrap().frame;
            assert_eq!(rows(&resampled, false), rows(&days, false), "{name}, {partitions}");
            let rolling = frame.rolling_by("t", "3h").sum().compute_on(&*executor).unwrap().frame;
            assert_eq!(rolling.column("x").unwrap().i64().unwrap().get(40), Some(3), "{name}, {partitions}");
            assert_eq!(rolling.column("t").unwrap().dtype(), whole.column("t").unwrap().dtype(), "{name}, {partitions}");
            let a_day = frame.rolling_by("t", "1d").sum().compute_on(&*executor).unwrap().frame;
            assert_eq!(rows(&a_day, true), rows(&of_days, true), "{name}, {partitions}");
        }
    }
}

/// Written in three partitions and read again, on every executor.
fn comes_back(case: &str, frame: &DataFrame, write: impl Fn(&DFrame, &str), read: impl Fn(&str) -> DFrame) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out").to_string_lossy().into_owned();
    write(&DFrame::from_polars(frame.clone(), 3), &path);
    let found = read(&path);
    for (name, executor) in executors() {
        let found = found.compute_on(&*executor).unwrap_or_else(|e| panic!("{case}, {name}: {e}")).frame;
        assert_eq!(found.schema(), frame.schema(), "{case}, {name}");
        assert_eq!(rows(&found, true), rows(frame, true), "{case}, {name}\n{found}\n{frame}");
    }
}

#[test]
fn files() {
    let frame = kinds();
    let parquet = ParquetOptions::new().blocksize(600u64);
    comes_back(
        "parquet",
        &frame,
        |frame, path| {
            frame.to_parquet(path, ParquetWriteOptions::new().row_group_rows(4)).unwrap();
        },
        |path| DFrame::read_parquet_with(path, parquet.clone()).unwrap(),
    );
    comes_back(
        "arrow",
        &frame,
        |frame, path| {
            frame.to_ipc(path, IpcWriteOptions::new()).unwrap();
        },
        |path| DFrame::read_ipc(path).unwrap(),
    );
    let declared =
        |names: &[&str]| names.iter().map(|name| (name.to_string(), frame.column(name).unwrap().dtype().clone())).collect::<Vec<_>>();
    let flat = ["wide", "unsigned", "utc", "berlin", "size", "price"];
    comes_back(
        "csv",
        &frame.drop("pair").unwrap(),
        |frame, path| {
            frame.to_csv(path, CsvWriteOptions::new()).unwrap();
        },
        |path| DFrame::read_csv_with(format!("{path}/*.csv"), CsvOptions::new().dtypes(declared(&flat))).unwrap(),
    );
    // Numbers beyond 64 bits are written digit by digit, and no reader of JSON here has them.
    let json = ["pair", "utc", "berlin", "size", "price"];
    comes_back(
        "json",
        &frame.drop("wide").unwrap().drop("unsigned").unwrap(),
        |frame, path| {
            frame.to_json(path, JsonWriteOptions::new()).unwrap();
        },
        |path| DFrame::read_json_with(path, JsonOptions::new().dtypes(declared(&json))).unwrap(),
    );
    let large = df!("x" => [u64::MAX, 1], "y" => [i64::MIN, 0]).unwrap();
    let large = large.lazy().with_columns([col("y").cast(DataType::Int128)]).collect().unwrap();
    comes_back(
        "json of 64 bits",
        &large,
        |frame, path| {
            frame.to_json(path, JsonWriteOptions::new()).unwrap();
        },
        |path| DFrame::read_json_with(path, JsonOptions::new().dtypes([("x", DataType::UInt64), ("y", DataType::Int128)])).unwrap(),
    );
}

#[test]
fn what_files_cannot_hold() {
    let frame = DFrame::from_polars(kinds(), 2);
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let csv = frame.to_csv(place("a"), CsvWriteOptions::new()).map(drop).unwrap_err();
    assert!(csv.code == Code::Unsupported && csv.to_string().contains("`pair`") && csv.to_string().contains("kinds.rs:"), "{csv}");
    // Whoever reads numbers of more than 64 bits out of JSON is told which value it is.
    frame.select(["i", "wide"]).to_json(place("b"), JsonWriteOptions::new()).unwrap();
    let read = |dtype: DataType| DFrame::read_json_with(place("b"), JsonOptions::new().dtype("wide", dtype)).unwrap();
    let text = failure(&read(DataType::Int128), Code::Parse);
    assert!(text.contains("`wide`") && text.contains("DataType::String"), "{text}");
    let pairs = || DataType::Array(Box::new(DataType::Int64), 2);
    for dtype in [pairs(), DataType::List(Box::new(DataType::Int64)), DataType::Duration(TimeUnit::Milliseconds)] {
        frame.select(["i"]).to_csv(place("c"), CsvWriteOptions::new().overwrite(true)).unwrap();
        let refused = DFrame::read_csv_with(place("c").join("*.csv"), CsvOptions::new().dtype("i", dtype)).map(drop).unwrap_err();
        assert!(refused.code == Code::InvalidOption && refused.to_string().contains("`i`"), "{refused}");
    }
    let refused = DFrame::read_json_with(place("b"), JsonOptions::new().dtype("i", DataType::Binary)).map(drop).unwrap_err();
    assert_eq!(refused.code, Code::InvalidOption, "{refused}");
    // Of three values where two are declared.
    std::fs::write(place("d.jsonl"), "{\"a\":[1,2]}\n{\"a\":[1,2,3]}\n").unwrap();
    let text = failure(&DFrame::read_json_with(place("d.jsonl"), JsonOptions::new().dtype("a", pairs())).unwrap(), Code::Parse);
    assert!(text.contains("[1,2,3]"), "{text}");
}

/// Predicates go into readers, and leave no row out.
#[test]
fn filters_on_parquet() {
    let whole = kinds().lazy().sort(["utc"], SortMultipleOptions::default()).collect().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    DFrame::from_polars(whole.clone(), 3).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(4)).unwrap();
    let frame = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(300u64)).unwrap();
    let time = |unit: TimeUnit, zone: &'static str, at: i64| lit(at).cast(DataType::Int64).cast(zoned(unit, "UTC")).cast(zoned(unit, zone));
    for predicate in [
        col("utc").gt(time(TimeUnit::Microseconds, "UTC", 1_000_000)),
        col("berlin").lt_eq(time(TimeUnit::Milliseconds, "Europe/Berlin", 1_729_992_600_000)),
        col("utc").dt().second().eq(lit(2)),
        col("wide").gt(lit(0)),
        col("unsigned").eq(col("unsigned").max().over([col("k")]).unwrap()),
        col("size").eq(lit("large")),
        col("pair").arr().contains(lit(1i64), false),
        col("utc").is_null(),
    ] {
        let expected = whole.clone().lazy().filter(predicate.clone()).collect().unwrap();
        for (name, executor) in executors() {
            let found = frame.filter(predicate.clone()).compute_on(&*executor).unwrap_or_else(|e| panic!("{predicate}, {name}: {e}")).frame;
            assert_eq!(rows(&found, true), rows(&expected, true), "{predicate}, {name}");
        }
    }
}

/// Times with a zone and lists of fixed length as pyarrow and Spark store them: `tests/python/parquet_files.py` wrote these files.
#[test]
fn parquet_of_others() {
    const MICROS: [Option<i64>; 5] = [Some(1_706_700_000_123_456), None, Some(-1), Some(0), Some(1_711_846_800_000_000)];
    let open = |name: &str| DFrame::read_parquet(format!("{}/tests/corpus/parquet/{name}.parquet", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let micros = |frame: &DataFrame, name: &str| frame.column(name).unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().to_vec();
    let millis: Vec<Option<i64>> = MICROS.iter().map(|t| t.map(|t| t.div_euclid(1000))).collect();
    for (file, utc, berlin) in [
        ("arrow", zoned(TimeUnit::Microseconds, "UTC"), Some(zoned(TimeUnit::Milliseconds, "Europe/Berlin"))),
        ("bare", zoned(TimeUnit::Microseconds, "UTC"), Some(zoned(TimeUnit::Milliseconds, "UTC"))),
        ("int96", DataType::Datetime(TimeUnit::Nanoseconds, None), None),
    ] {
        let frame = open(file);
        for (name, executor) in executors() {
            let found = frame.compute_on(&*executor).unwrap_or_else(|e| panic!("{file}, {name}: {e}")).frame;
            assert_eq!(found.column("utc").unwrap().dtype(), &utc, "{file}");
            let scale = if file == "int96" { 1000 } else { 1 };
            assert_eq!(micros(&found, "utc"), MICROS.map(|t| t.map(|t| t * scale)), "{file}, {name}");
            if let Some(berlin) = &berlin {
                assert_eq!(found.column("berlin").unwrap().dtype(), berlin, "{file}");
                assert_eq!(micros(&found, "berlin"), millis, "{file}, {name}");
            }
            let late = frame.filter(col("utc").gt(lit(0).cast(DataType::Int64).cast(utc.clone()))).select(["row"]);
            assert_eq!(late.compute_on(&*executor).unwrap().frame, df!("row" => [0i64, 4]).unwrap(), "{file}, {name}");
            let last = frame.agg([col("utc").max()]).compute_on(&*executor).unwrap().frame;
            assert_eq!((last.column("utc").unwrap().dtype(), micros(&last, "utc")), (&utc, vec![MICROS[4].map(|t| t * scale)]), "{file}");
        }
    }
    let arrow = open("arrow").compute().unwrap();
    assert_eq!(arrow.column("pair").unwrap().dtype(), &DataType::Array(Box::new(DataType::Int64), 2));
    assert_eq!(open("bare").compute().unwrap().column("pair").unwrap().dtype(), &DataType::List(Box::new(DataType::Int64)));
    let sums = open("arrow").select([col("pair").arr().sum()]).compute().unwrap();
    assert_eq!(sums.column("pair").unwrap().i64().unwrap().to_vec(), [Some(3), Some(3), None, Some(0), Some(15)]);
    // A zone that is a distance only, and of no whole hours.
    assert_eq!(
        (arrow.column("offset").unwrap().dtype(), micros(&arrow, "offset")),
        (&zoned(TimeUnit::Microseconds, "UTC"), MICROS.to_vec())
    );
}

/// Values that are few and hard to compare, of every kind there is: a column of five for each.
fn palette() -> DataFrame {
    let whole = |values: [Option<i64>; 5]| Series::new("v".into(), values);
    let numbers = whole([Some(0), Some(1), None, Some(100), Some(7)]);
    let mut columns = Vec::new();
    for dtype in [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Int128,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::UInt128,
        DataType::Date,
        DataType::Time,
        DataType::Datetime(TimeUnit::Milliseconds, None),
        DataType::Datetime(TimeUnit::Nanoseconds, None),
        zoned(TimeUnit::Microseconds, "UTC"),
        zoned(TimeUnit::Milliseconds, "Europe/Berlin"),
        DataType::Duration(TimeUnit::Microseconds),
        DataType::Decimal(12, 3),
        DataType::Decimal(38, 0),
    ] {
        columns.push(numbers.cast(&dtype).unwrap().into_column());
    }
    let texts = [Some(""), Some("small"), None, Some("large"), Some("a text of more than twelve bytes")];
    let text = Series::new("v".into(), texts);
    let sized = Series::new("v".into(), [None, Some("small"), None, Some("large"), Some("middle")]);
    let floats = Series::new("v".into(), [Some(0.0), Some(-0.0), None, Some(f64::NAN), Some(-1.5)]);
    let list = |values: &[Option<i64>]| Some(Series::new("".into(), values));
    let lists = Series::new("v".into(), [list(&[]), list(&[Some(1), None]), None, list(&[None, Some(1)]), list(&[Some(1)])]);
    let pairs = [list(&[Some(1), None]), list(&[Some(0), Some(0)]), None, list(&[None, Some(1)]), list(&[Some(2), Some(1)])];
    let pairs = Series::new("v".into(), pairs).cast(&DataType::Array(Box::new(DataType::Int64), 2)).unwrap();
    columns.extend([
        floats.clone().into_column(),
        floats.cast(&DataType::Float32).unwrap().into_column(),
        Series::new("v".into(), [Some(true), Some(false), None, Some(true), None]).into_column(),
        text.clone().into_column(),
        text.cast(&DataType::Binary).unwrap().into_column(),
        text.cast(&DataType::from_categories(Categories::global())).unwrap().into_column(),
        sized.cast(&sizes()).unwrap().into_column(),
        lists.into_column(),
        pairs.into_column(),
        StructChunked::from_series("v".into(), 5, [numbers.clone().with_name("n".into()), text.with_name("t".into())].iter())
            .unwrap()
            .into_series()
            .into_column(),
    ]);
    let named = columns.into_iter().enumerate().map(|(at, column)| column.with_name(format!("c{at}").into()));
    DataFrame::new(5, named.collect()).expect("five of each")
}

/// Rows of all kinds; `row` is the number of each.
pub fn random_kinds(rows: &[u64]) -> DataFrame {
    let palette = palette();
    // Each column has its own digits of the number.
    let pick = |(at, column): (usize, &Column)| {
        let index: Vec<IdxSize> = rows.iter().map(|row| (row.rotate_left(at as u32 * 7) % 5) as IdxSize).collect();
        column.take(&IdxCa::from_vec("".into(), index)).unwrap()
    };
    let mut columns: Vec<Column> = palette.columns().iter().enumerate().map(pick).collect();
    columns.push(Column::new("row".into(), (0..rows.len() as i64).collect::<Vec<_>>()));
    DataFrame::new(rows.len(), columns).expect("columns of one length")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Frames of every kind, wide, of no row, one and some, most of them alike; partitions without rows; each kind as a key.
    #[test]
    fn every_kind_like_polars(rows in vec(prop_oneof![3 => Just(7u64), 5 => any::<u64>()], 0..24), partitions in 1usize..7, bound in 0i64..24, key in 0usize..29) {
        let whole = random_kinds(&rows);
        let key = format!("c{key}");
        // Some partitions lose all rows.
        let frame = DFrame::from_polars(whole.clone(), partitions).filter(col("row").gt_eq(lit(bound)));
        let left = whole.lazy().filter(col("row").gt_eq(lit(bound)));
        let aggs = [len().alias("n"), col("row").sum(), col("^c.*$").first().name().suffix(" first"), col("^c.*$").last().name().suffix(" last")];
        let other = |frame: &DFrame| frame.filter((col("row") % lit(2)).eq(lit(0))).select([col(&key), col("row").alias("other")]);
        let joined = left.clone().filter((col("row") % lit(2)).eq(lit(0))).select([col(&key), col("row").alias("other")]);
        let joined = left.clone().join(joined, [col(&key)], [col(&key)], JoinArgs::new(JoinType::Inner)).select([col("row"), col("other")]);
        let firsts = [col("row").sum(), col("row").first().alias("first"), len().alias("n")];
        let cases: [(&str, DFrame, LazyFrame, bool); 5] = [
            ("rows", frame.repartition(3), left.clone(), true),
            ("groups", frame.group_by([key.as_str()]).agg(firsts.clone()), left.clone().group_by([col(&key)]).agg(firsts.clone()), false),
            ("whole", frame.agg(aggs.clone()), left.clone().select(aggs.clone()), true),
            ("unique", frame.select([key.as_str()]).unique(), left.clone().select([col(&key)]).unique(None, UniqueKeepStrategy::Any), false),
            ("join", frame.join(&other(&frame), Join::inner([key.as_str()])).select(["row", "other"]), joined, false),
        ];
        for (case, ours, expected, in_order) in cases {
            let expected = expected.collect().unwrap();
            for (name, executor) in executors().into_iter().take(4) {
                let found = ours.compute_on(&*executor).unwrap_or_else(|e| panic!("{case} of {key}, {name}: {e}")).frame;
                assert_eq!(found.schema(), expected.schema(), "{case} of {key}, {name}");
                assert_eq!(rows_of_any(&found, in_order), rows_of_any(&expected, in_order), "{case} of {key}, {name}");
            }
        }
    }
}

/// The rows as text, where both zeros are one: which of several equal keys stands for all is nobody's promise.
pub fn rows_of_any(frame: &DataFrame, in_order: bool) -> Vec<String> {
    let mut rows: Vec<String> = rows(frame, true).into_iter().map(|row| row.replace("-0.0", "0.0")).collect();
    if !in_order {
        rows.sort();
    }
    rows
}
