//! What filters spare: files and row groups in which no row can pass are not read, and no row that passes is lost.

use super::check::executors;
use super::files::{damage, same};
use super::random_frames::{frame, rows};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, ParquetOptions, ParquetWriteOptions};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

/// Ten rows a file: `x` counts up, `t` and `d` follow it, `b` is true in one file, `f` is a float, `n` is null in one file.
fn five_files() -> DataFrame {
    let all = 0..50i64;
    let frame = df!(
        "x" => all.clone().collect::<Vec<_>>(),
        "t" => all.clone().map(|x| format!("t{}", x / 10)).collect::<Vec<_>>(),
        "b" => all.clone().map(|x| x / 10 == 2).collect::<Vec<_>>(),
        "f" => all.clone().map(|x| if x % 10 == 0 { f64::NAN } else { x as f64 }).collect::<Vec<_>>(),
        "n" => all.clone().map(|x| (x / 10 != 3).then_some(x)).collect::<Vec<_>>(),
        "d" => all.map(|x| x as i32).collect::<Vec<_>>()
    );
    frame.unwrap().lazy().with_column(col("d").cast(DataType::Date)).collect().unwrap()
}

fn day(number: i32) -> Expr {
    lit(number).cast(DataType::Date)
}

fn list(values: &[i64]) -> Expr {
    lit(Series::new(PlSmallStr::EMPTY, [Series::new(PlSmallStr::EMPTY, values)]))
}

/// The predicate needs these files only: with the pages of all others overwritten the rows are those of polars.
fn check(predicate: Expr, needed: &[usize]) {
    let whole = five_files();
    let expected = whole.clone().lazy().filter(predicate.clone()).collect().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t").to_string_lossy().into_owned();
    DFrame::from_polars(whole, 5).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
    for number in (0..5).filter(|number| !needed.contains(number)) {
        damage(&format!("{path}/part-{number:05}.parquet"));
    }
    for blocksize in [1u64 << 30, 10_000] {
        let filtered = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(blocksize)).unwrap().filter(predicate.clone());
        let plan = filtered.explain();
        let pieces = format!(", {} of 5 pieces", needed.len());
        assert_eq!(plan.contains(&pieces), needed.len() < 5, "{predicate}: {pieces}\n{plan}");
        for (name, executor) in executors() {
            let found = filtered.compute_on(&*executor).unwrap_or_else(|e| panic!("{predicate}, {name}: {e}")).frame;
            same(&found, &expected, &format!("{predicate}, {name}"));
        }
    }
}

#[test]
fn only_files_in_which_rows_can_pass_are_read() {
    let x = || col("x");
    check(x().gt(lit(34)), &[3, 4]);
    check(x().lt_eq(lit(10)), &[0, 1]);
    check(lit(25).eq(x()), &[2]);
    check(x().gt(lit(5)).and(x().lt(lit(12))), &[0, 1]);
    check(x().eq(lit(3)).or(x().eq(lit(47))), &[0, 4]);
    check(x().is_between(lit(18), lit(21), ClosedInterval::Both), &[1, 2]);
    check(x().is_between(lit(19), lit(20), ClosedInterval::None), &[]);
    check(x().is_in(list(&[3, 44]), false), &[0, 4]);
    check(x().lt(lit(40)).not(), &[4]);
    check(col("t").eq(lit("t3")), &[3]);
    check(col("d").gt(day(44)), &[4]);
    check(col("b"), &[2]);
    check(x().is_null(), &[]);
    check(col("n").is_null(), &[3]);
    // What is not known is read.
    check(col("f").gt(lit(45.0)), &[0, 1, 2, 3, 4]);
    check(x().gt(lit(34)).and(col("f").lt(lit(100.0))), &[3, 4]);
    check(x().gt(lit(34)).or(col("f").lt(lit(-1.0))), &[0, 1, 2, 3, 4]);
    check((x() + lit(1)).gt(lit(40)), &[0, 1, 2, 3, 4]);
}

#[test]
fn filters_reach_the_reader_through_other_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    DFrame::from_polars(five_files(), 1).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(5)).unwrap();
    let read = DFrame::read_parquet(&path).unwrap();
    let through = read.rename([("x", "y")]).with_column((col("y") * lit(2)).alias("z")).select(["y", "z"]).filter(col("y").lt(lit(7)));
    assert!(through.explain().contains("1 of 6 columns, 2 of 10 pieces"), "{}", through.explain());
    let doubled = df!("y" => (0..7i64).collect::<Vec<_>>(), "z" => (0..7i64).map(|y| 2 * y).collect::<Vec<_>>()).unwrap();
    assert_eq!(through.compute().unwrap(), doubled);
    let grouped = read.group_by(["t"]).agg([col("x").sum()]).filter(col("t").eq(lit("t1")));
    assert!(grouped.explain().contains("2 of 10 pieces"), "{}", grouped.explain());
    assert_eq!(grouped.compute().unwrap(), df!("t" => ["t1"], "x" => [145i64]).unwrap());
    // A second filter leaves out more, and the number of rows is not taken from footers any more.
    let twice = read.filter(col("x").gt(lit(12))).filter(col("x").lt(lit(17)));
    assert!(twice.explain().contains("2 of 10 pieces"), "{}", twice.explain());
    assert_eq!(twice.len().unwrap(), 4);
}

fn compared(column: &'static str, value: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Expr> {
    (0usize..9, value.clone(), value).prop_map(move |(op, one, other)| match op {
        0 => col(column).eq(one),
        1 => col(column).neq(one),
        2 => col(column).lt(one),
        3 => col(column).lt_eq(one),
        4 => one.gt(col(column)),
        5 => col(column).gt_eq(one),
        6 => col(column).eq_missing(one),
        7 => col(column).is_between(one, other, ClosedInterval::Both),
        _ => col(column).is_null(),
    })
}

fn leaf() -> impl Strategy<Value = Expr> {
    let float = prop_oneof![(-8i8..8).prop_map(|x| f64::from(x) / 4.0), Just(f64::NAN), Just(-0.0)];
    let text = prop_oneof![Just(""), Just("a"), Just("ab, c"), Just("b")];
    let listed = (proptest::collection::vec(0i64..8, 1..4), any::<bool>()).prop_map(|(values, equal)| col("k").is_in(list(&values), equal));
    prop_oneof![
        compared("k", (0i64..8).prop_map(lit)),
        compared("n", (0i64..5).prop_map(lit)),
        compared("i", (0i64..60).prop_map(lit)),
        compared("f", float.prop_map(lit)),
        compared("t", text.prop_map(lit)),
        compared("d", (-3i32..20_000).prop_map(day)),
        listed,
        Just(col("b")),
        Just(col("c").is_not_null()),
    ]
}

fn predicate() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.and(right)),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.or(right)),
            inner.prop_map(Expr::not),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn filters_on_files_equal_polars(
        rows in rows(60),
        predicate in predicate(),
        partitions in 1usize..4,
        group in 1u64..20,
        blocksize in 1u64..4000,
    ) {
        let whole = frame(&rows);
        let expected = whole.clone().lazy().filter(predicate.clone()).collect().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t").to_string_lossy().into_owned();
        DFrame::from_polars(whole, partitions).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(group)).unwrap();
        let read = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(blocksize)).unwrap();
        let filtered = read.filter(predicate.clone());
        for (name, executor) in executors().into_iter().take(2) {
            same(&filtered.compute_on(&*executor).unwrap().frame, &expected, &format!("{predicate}, {name}"));
        }
        let few = filtered.select(["i", "t"]).compute().unwrap();
        same(&few, &expected.select(["i", "t"]).unwrap(), &format!("{predicate}, two columns"));
        assert_eq!(filtered.len().unwrap(), expected.height() as u64, "{predicate}");
    }
}
