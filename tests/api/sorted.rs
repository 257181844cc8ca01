//! Frames whose rows are known to ascend: what filters leave out, how joins meet, and what does not ascend.

use super::check::{assert_close, executors, file};
use partita::polars::prelude::*;
use partita::prelude::{CsvOptions, DFrame, Join, ParquetOptions, ParquetWriteOptions};
use partita::{Client, Code};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

fn times(rows: i64) -> DataFrame {
    df!(
        "t" => (0..rows).map(|row| row / 3).collect::<Vec<_>>(),
        "x" => (0..rows).map(|row| (row % 5 != 2).then_some(row % 7)).collect::<Vec<_>>(),
        "s" => (0..rows).map(|row| format!("row {row}")).collect::<Vec<_>>()
    )
    .unwrap()
}

#[test]
fn filters_read_partitions_in_which_rows_can_pass() {
    let whole = times(300);
    let sorted = DFrame::from_polars(whole.clone(), 10).sorted_by("t").unwrap();
    assert_eq!(sorted.compute().unwrap(), whole);
    for (predicate, partitions) in [
        (col("t").lt(lit(10)), 1),
        (col("t").eq(lit(55)), 1),
        (lit(30).gt_eq(col("t")), 4),
        (col("t").gt(lit(25)).and(col("t").lt_eq(lit(41))), 3),
        (col("t").lt(lit(5)).or(col("t").gt(lit(95))), 2),
        (col("t").is_between(lit(60), lit(61), ClosedInterval::Both), 1),
        (col("t").gt(lit(1_000)), 1),
        (col("t").is_null(), 1),
        // Nothing is known of the other columns.
        (col("x").eq(lit(3)), 10),
        (col("t").gt(lit(94)).and(col("x").is_not_null()), 1),
        (col("t").gt_eq(lit(0)), 10),
    ] {
        let filtered = sorted.filter(predicate.clone());
        assert_eq!(filtered.npartitions().unwrap(), partitions, "{predicate}\n{}", filtered.explain());
        let expected = whole.clone().lazy().filter(predicate.clone()).collect().unwrap();
        let narrow = expected.select(["s"]).unwrap();
        for (name, executor) in executors() {
            assert_eq!(filtered.compute_on(&*executor).unwrap().frame, expected, "{predicate}, {name}");
            assert_eq!(filtered.select(["s"]).compute_on(&*executor).unwrap().frame, narrow, "{predicate}, {name}");
        }
        assert_eq!(filtered.len().unwrap(), expected.height() as u64, "{predicate}");
    }
    assert_eq!(sorted.len().unwrap(), 300);
    // Two filters, the second after a step that leaves the column alone.
    let twice = sorted.filter(col("t").gt(lit(20))).with_columns([(col("x") + lit(1)).alias("y")]).filter(col("t").lt(lit(30)));
    assert!(twice.npartitions().unwrap() <= 2, "{}", twice.explain());
    assert_eq!(twice.len().unwrap(), 27);
}

/// Files, steps and sorts below it.
#[test]
fn whatever_ascends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    DFrame::from_polars(times(300), 6).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
    let text: String = std::iter::once("t,x\n".to_string()).chain((0..300).map(|row| format!("{},{row}\n", row / 3))).collect();
    let (_guard, csv) = file("t.csv", text);
    let csv = DFrame::read_csv_with(&csv, CsvOptions::new().blocksize(400u64)).unwrap();
    let shuffled = DFrame::from_polars(times(300).lazy().reverse().collect().unwrap(), 7);
    let parquet = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(1u64)).unwrap();
    for (case, frame) in [("parquet", parquet), ("csv", csv), ("sort", shuffled.sort(["t"]))] {
        let sorted = frame.sorted_by("t").unwrap_or_else(|e| panic!("{case}: {e}"));
        let few = sorted.filter(col("t").lt(lit(10)));
        assert!(few.npartitions().unwrap() < sorted.npartitions().unwrap(), "{case}\n{}", few.explain());
        for (name, executor) in executors() {
            let found = few.agg([len().alias("n"), col("t").max()]).compute_on(&*executor).unwrap().frame;
            assert_eq!(found, df!("n" => [30u32], "t" => [9i64]).unwrap(), "{case}, {name}");
            // A reader would leave out partitions by what it knows of other columns; their numbers must stay.
            let none = sorted.filter(col("x").gt(lit(1_000_000))).filter(col("t").lt(lit(200)));
            assert_eq!(none.compute_on(&*executor).unwrap().frame.height(), 0, "{case}, {name}");
        }
    }
}

#[test]
fn joins_bring_together_partitions_whose_keys_overlap() {
    let (left, right) =
        (times(300), times(420).lazy().filter(col("t").gt(lit(40))).select([col("t"), col("x").alias("y")]).collect().unwrap());
    let sorted = |frame: &DataFrame, partitions| DFrame::from_polars(frame.clone(), partitions).sorted_by("t").unwrap();
    for partitions in [(6, 5), (1, 4), (9, 2)] {
        let (ours, other) = (sorted(&left, partitions.0), sorted(&right, partitions.1));
        let some = left.clone().lazy().filter(col("x").is_not_null());
        let both = |how: JoinType| some.clone().join(right.clone().lazy(), [col("t")], [col("t")], JoinArgs::new(how));
        for (how, join, expected) in [
            ("inner", Join::inner(["t"]), both(JoinType::Inner)),
            ("left", Join::left(["t"]), both(JoinType::Left)),
            ("semi", Join::semi(["t"]), some.clone().filter(col("t").gt(lit(40)))),
            ("anti", Join::anti(["t"]), some.clone().filter(col("t").lt_eq(lit(40)))),
        ] {
            // Small frames are looked up in, unless that is not wanted.
            let joined = ours.filter(col("x").is_not_null()).join(&other, join.broadcast(false));
            let plan = joined.explain();
            assert!(plan.contains("join_sorted"), "{how}, {partitions:?}\n{plan}");
            let expected = expected.collect().unwrap();
            for (name, executor) in executors() {
                let found = joined.compute_on(&*executor).unwrap().frame;
                assert_close(&found, &expected, false, &format!("{how}, {partitions:?}, {name}"));
            }
        }
    }
    // Where rows of the right side are in the result for themselves, where keys must be unique, where one side is not known to ascend.
    let (ours, other) = (sorted(&left, 4), sorted(&right, 4));
    let plain = DFrame::from_polars(right.clone(), 4);
    for frame in [
        ours.join(&other, Join::full(["t"]).broadcast(false)),
        ours.join(&other, Join::right(["t"]).broadcast(false)),
        ours.join(&other, Join::inner(["t"]).validate(JoinValidation::ManyToOne).broadcast(false)),
        ours.join(&plain, Join::inner(["t"]).broadcast(false)),
        ours.join(&other, Join::inner(["x"]).right_on(["y"]).broadcast(false)),
    ] {
        assert!(!frame.explain().contains("join_sorted"), "{}", frame.explain());
    }
}

/// Windows of time take the rows beside a partition out of those partitions that have such rows.
#[test]
fn windows_of_time() {
    let times = [0i64, 0, 1, 1, 1, 5, 9, 9, 9, 9, 9, 20, 21, 22, 40, 40];
    let whole = df!("t" => times, "x" => (0..16i64).map(|row| 1i64 << row).collect::<Vec<_>>()).unwrap();
    let expected = |window: &str, frame: &DataFrame| {
        let options = RollingOptionsDynamicWindow {
            window_size: Duration::parse(window),
            min_periods: 1,
            closed_window: ClosedWindow::Right,
            fn_params: None,
        };
        frame.clone().lazy().select([col("t"), col("x").rolling_sum_by(col("t"), options)]).collect().unwrap()
    };
    for partitions in [1, 2, 3, 5, 16] {
        let sorted = DFrame::from_polars(whole.clone(), partitions).sorted_by("t").unwrap();
        for window in ["1i", "2i", "10i", "100i"] {
            let rolled = sorted.rolling_by("t", window).sum();
            assert_eq!(rolled.explain().contains("near"), partitions > 1, "{}", rolled.explain());
            // Some partitions lose rows after they were looked at, some all of them.
            let fewer = sorted.filter(col("x").gt(lit(40))).rolling_by("t", window).sum();
            let less = whole.clone().lazy().filter(col("x").gt(lit(40))).collect().unwrap();
            for (name, executor) in executors() {
                let case = format!("{partitions} partitions, {window}, {name}");
                assert_eq!(rolled.compute_on(&*executor).unwrap().frame, expected(window, &whole), "{case}");
                assert_eq!(fewer.compute_on(&*executor).unwrap().frame, expected(window, &less), "{case}");
            }
        }
    }
}

#[test]
fn what_does_not_ascend() {
    let refused = |frame: DataFrame, partitions: usize| DFrame::from_polars(frame, partitions).sorted_by("t").map(drop).unwrap_err();
    let within = refused(df!("t" => [1, 3, 2, 4]).unwrap(), 1);
    assert!(within.code == Code::NotSorted && within.to_string().contains("sorted.rs:"), "{within}");
    assert_eq!(refused(df!("t" => [3, 4, 1, 2]).unwrap(), 2).code, Code::NotSorted);
    assert_eq!(refused(df!("t" => [Some(1), None]).unwrap(), 2).code, Code::NotSorted);
    assert_eq!(refused(df!("u" => [1]).unwrap(), 1).code, Code::ColumnNotFound);
    // Equal keys on both sides of a border, partitions without rows, and no rows at all.
    let frame = DFrame::from_polars(df!("t" => [1, 2, 2, 2, 5]).unwrap(), 5).filter(col("t").neq(lit(5))).sorted_by("t").unwrap();
    assert_eq!(frame.filter(col("t").eq(lit(2))).len().unwrap(), 3);
    let none = DFrame::from_polars(df!("t" => [1, 2]).unwrap(), 2).filter(col("t").gt(lit(5))).sorted_by("t").unwrap();
    assert_eq!((none.len().unwrap(), none.filter(col("t").gt(lit(0))).len().unwrap()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever keys, partitions and bounds.
    #[test]
    fn filters_and_joins_like_polars(
        mut left in vec(0i64..20, 0..40), mut right in vec(0i64..20, 0..40), partitions in (1usize..6, 1usize..6), bound in 0i64..20, left_join in any::<bool>(),
    ) {
        left.sort_unstable();
        right.sort_unstable();
        let left = df!("t" => &left, "x" => (0..left.len() as i64).collect::<Vec<_>>()).unwrap();
        let right = df!("t" => &right, "y" => (0..right.len() as i64).collect::<Vec<_>>()).unwrap();
        let client = Client::current().unwrap();
        let sorted = |frame: &DataFrame, partitions| DFrame::from_polars(frame.clone(), partitions).sorted_by_on(&client, "t").unwrap();
        let (join, how) = if left_join { (Join::left(["t"]), JoinType::Left) } else { (Join::inner(["t"]), JoinType::Inner) };
        let joined = sorted(&left, partitions.0).join(&sorted(&right, partitions.1), join.broadcast(false)).filter(col("t").lt(lit(bound)));
        let expected = left.lazy().join(right.lazy(), [col("t")], [col("t")], JoinArgs::new(how)).filter(col("t").lt(lit(bound)));
        assert_close(&joined.compute().unwrap(), &expected.collect().unwrap(), false, "join");
    }
}
