//! Decimals and times: aggregates, joins, sorts and filters over them, in memory and from Parquet, against polars on the whole.

use super::check::{check_frame, executors, failure, file};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{CsvOptions, DFrame, Join, ParquetOptions, ParquetWriteOptions};

/// A key, a decimal of two digits after the point with nulls and both signs, one of many digits, and a time.
fn prices() -> DataFrame {
    let rows = 60i64;
    let price = |row: i64| (row % 7 != 3).then(|| format!("{}{}.{:02}", if row % 2 == 0 { "-" } else { "" }, row * 13 % 50, row * 7 % 100));
    let prices: Vec<Option<String>> = (0..rows).map(price).collect();
    let frame = df!(
        "k" => (0..rows).map(|row| ["a", "b", "c"][(row * row % 3) as usize]).collect::<Vec<_>>(),
        "price" => &prices,
        "wide" => &prices,
        "time" => (0..rows).map(|row| row * 1_234_567_890_123 % 86_400_000_000_000).collect::<Vec<_>>()
    );
    let types = [col("price").cast(DataType::Decimal(9, 2)), col("wide").cast(DataType::Decimal(38, 4)), col("time").cast(DataType::Time)];
    frame.unwrap().lazy().with_columns(types).collect().unwrap()
}

fn aggregates() -> Vec<Expr> {
    let of = |name: &str| {
        let own = |expr: Expr, what: &str| expr.alias(format!("{name}_{what}"));
        let column = || col(name);
        vec![own(column().min(), "min"), own(column().max(), "max"), own(column().count(), "count"), own(column().n_unique(), "n")]
    };
    let numbers = |name: &str| {
        let own = |expr: Expr, what: &str| expr.alias(format!("{name}_{what}"));
        vec![own(col(name).sum(), "sum"), own(col(name).mean(), "mean"), own(col(name).std(1), "std"), own(col(name).median(), "median")]
    };
    [of("price"), of("wide"), of("time"), numbers("price"), numbers("wide")].concat()
}

#[test]
fn aggregates_are_those_of_polars() {
    let whole = prices();
    let by_key = whole.clone().lazy().group_by([col("k")]).agg(aggregates()).collect().unwrap();
    check_frame(&whole, |frame| frame.group_by(["k"]).agg(aggregates()), &by_key, false);
    let all = whole.clone().lazy().select(aggregates()).collect().unwrap();
    check_frame(&whole, |frame| frame.agg(aggregates()), &all, true);
    // Without what does not decompose, states of partitions are combined.
    let combined =
        || [col("price").sum().alias("sum"), col("price").mean().alias("mean"), col("wide").var(0).alias("var"), col("time").max()];
    let expected = whole.clone().lazy().select(combined()).collect().unwrap();
    check_frame(&whole, |frame| frame.agg(combined()), &expected, true);
    let sums = whole.clone().lazy().group_by([col("k")]).agg([col("price").sum(), col("wide").sum()]).collect().unwrap();
    check_frame(&whole, |frame| frame.group_by(["k"]).sum(), &sums, false);
}

#[test]
fn products_are_refused() {
    let frame = DFrame::from_polars(prices(), 2);
    let text = failure(&frame.group_by(["k"]).agg([col("price").product()]), Code::TypeMismatch);
    assert!(text.contains("not defined for decimals") && text.contains("Float64"), "{text}");
    failure(&frame.agg([col("wide").product()]), Code::TypeMismatch);
}

#[test]
fn keys_order_and_arithmetic() {
    let whole = prices();
    let sorted = whole.clone().lazy().sort(["price", "time"], SortMultipleOptions::default().with_maintain_order(true)).collect().unwrap();
    check_frame(&whole, |frame| frame.sort(["price", "time"]), &sorted, true);
    // Polars' group_by of one decimal needs more than it is built with here, so the expected groups are those of its text.
    let text = col("price").cast(DataType::String);
    let counts = whole.clone().lazy().group_by([text.clone()]).agg([len().alias("rows")]);
    let counts = counts.with_columns([col("price").cast(DataType::Decimal(9, 2))]).collect().unwrap();
    check_frame(&whole, |frame| frame.group_by(["price"]).agg([len().alias("rows")]), &counts, false);
    let medians = whole.clone().lazy().group_by([text]).agg([col("time").cast(DataType::Int64).median()]);
    let medians = medians.with_columns([col("price").cast(DataType::Decimal(9, 2))]).collect().unwrap();
    check_frame(&whole, |frame| frame.group_by(["price"]).agg([col("time").cast(DataType::Int64).median()]), &medians, false);
    let distinct = counts.select(["price"]).unwrap();
    check_frame(&whole, |frame| frame.select(["price"]).unique(), &distinct, false);
    let count = df!("price" => [distinct.height() as IdxSize]).unwrap();
    check_frame(&whole, |frame| frame.select(["price"]).n_unique(), &count, true);
    let changed = [(col("price") + col("price")).alias("twice"), col("price").cast(DataType::Float64).alias("float")];
    let expected = whole.clone().lazy().select(changed.clone()).collect().unwrap();
    check_frame(&whole, |frame| frame.select(changed.clone()), &expected, true);
    let known = whole.clone().lazy().filter(col("price").gt(lit(20))).select([col("price")]).collect().unwrap();
    let expected = whole.clone().lazy().filter(col("price").gt(lit(20))).collect().unwrap();
    let other = DFrame::from_polars(known, 2);
    check_frame(&whole, |frame| frame.join(&other, Join::semi(["price"])), &expected, false);
}

/// Decimals are not divided by zero, so a condition that divides must not see the rows that one before it takes out.
#[test]
fn a_condition_that_divides_sees_no_row_that_one_before_it_takes_out() {
    let texts: Vec<String> = (0..40).map(|row| format!("{}.00", row % 5)).collect();
    let whole = df!("k" => (0..40i64).map(|row| row % 5).collect::<Vec<_>>(), "x" => texts).unwrap().lazy();
    let whole = whole.with_columns([col("x").cast(DataType::Decimal(9, 2))]).collect().unwrap();
    let guard = || col("k").neq(lit(0));
    let divides = || (lit(12) / col("x")).gt(lit(4));
    let guarded = whole.clone().lazy().filter(guard()).collect().unwrap();
    let expected = guarded.lazy().filter(divides()).collect().unwrap();
    assert_eq!(expected.height(), 16);
    check_frame(&whole, |frame| frame.filter(guard()).filter(divides()), &expected, true);
    check_frame(&whole, |frame| frame.filter(guard()).sort(["k"]).filter(divides()), &expected, false);
    let known = DFrame::from_polars(df!("k" => [1i64, 2, 3, 4]).unwrap(), 2);
    check_frame(&whole, |frame| frame.join(&known, Join::semi(["k"])).filter(divides()), &expected, false);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    DFrame::from_polars(whole.clone(), 2).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(5)).unwrap();
    let frame = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(400u64)).unwrap();
    assert_eq!(frame.filter(guard()).filter(divides()).compute().unwrap(), expected);
    // Comparisons of decimals cannot fail: they go into the reader with the guard.
    let compared = frame.filter(guard()).filter(col("x").lt(lit(3)));
    assert_eq!(compared.compute().unwrap(), expected);
    let plan = compared.explain();
    assert!(!plan.split_once("rewritten").expect("it is rewritten").1.contains("filter"), "{plan}");
    for unguarded in [frame, DFrame::from_polars(whole, 3)] {
        failure(&unguarded.filter(divides()), Code::TypeMismatch);
    }
}

/// What goes through polars' own groups of rows.
#[test]
fn one_decimal_is_a_key_of_first_rows_and_of_pairs() {
    let frame = df!("k" => ["1.5", "2.5", "1.5", "1.5"], "x" => [1i64, 2, 3, 2]).unwrap().lazy();
    let frame = frame.with_columns([col("k").cast(DataType::Decimal(9, 2))]).collect().unwrap();
    let first = frame.take(&IdxCa::from_vec("rows".into(), vec![2, 1])).unwrap();
    check_frame(&frame, |frame| frame.group_by(["k"]).top_k(1, ["x"]), &first, false);
    let mut pairs = first.select(["k"]).unwrap();
    pairs.with_column(Column::new("cov".into(), [Some(1.0), None])).unwrap();
    check_frame(&frame, |frame| frame.group_by(["k"]).cov("x", "x"), &pairs, false);
}

/// Filters on decimals and times read no row group that cannot have such a row, and lose no row.
#[test]
fn from_parquet() {
    let whole = prices().lazy().sort(["price"], SortMultipleOptions::default()).collect().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    DFrame::from_polars(whole.clone(), 4).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(5)).unwrap();
    let frame = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(400u64)).unwrap();
    let exact = |text: &str| lit(text).cast(DataType::Decimal(9, 2));
    let noon = lit(43_200_000_000_000i64).cast(DataType::Time);
    for (predicate, spares) in [
        (col("price").gt(exact("10.25")), true),
        (col("price").lt_eq(lit(-20)), true),
        (col("wide").gt(lit(10)), false),
        (col("time").lt(noon), false),
    ] {
        let filtered = frame.filter(predicate.clone());
        let plan = filtered.explain();
        assert!(!spares || plan.contains("pieces"), "{predicate}\n{plan}");
        let expected = whole.clone().lazy().filter(predicate.clone()).collect().unwrap();
        for (name, executor) in executors() {
            let found = filtered.compute_on(&*executor).unwrap_or_else(|e| panic!("{predicate}, {name}: {e}")).frame;
            assert!(found.equals_missing(&expected), "{predicate}, {name}\n{found}\n{expected}");
        }
    }
    let sum = frame.agg([col("price").sum()]).compute().unwrap();
    assert_eq!(sum, whole.lazy().select([col("price").sum()]).collect().unwrap());
}

#[test]
fn from_csv() {
    let (_folder, path) = file("t.csv", "k,price\na,1.25\nb,\na,-3\nb,99999.99\n");
    let options = CsvOptions::new().dtype("price", DataType::Decimal(9, 2));
    let sums = DFrame::read_csv_with(&path, options.clone()).unwrap().group_by(["k"]).agg([col("price").sum()]);
    let texts = ["-1.75", "99999.99"];
    let expected = df!("k" => ["a", "b"], "price" => texts).unwrap().lazy().with_columns([col("price").cast(DataType::Decimal(38, 2))]);
    assert_eq!(sums.compute().unwrap(), expected.collect().unwrap());
    let (_folder, path) = file("t.csv", "price\n1.25\nfree\n");
    failure(&DFrame::read_csv_with(&path, options).unwrap(), Code::Parse);
}
