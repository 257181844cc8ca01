//! What the planner leaves out: shuffles of what is spread already, work that is written twice, rows that meet nobody.

use bytesize::ByteSize;

use super::check::{check, check_frame, check_in_order, executors, file, table};
use partita::polars::prelude::*;
use partita::prelude::{CsvOptions, DFrame, Join, col, len, lit};

const KX: &str = "k,x,g
    a,1,p
    b,2,q
    ,3,p
    a,4,q
    c,5,p
    ,6,q
    b,7,p";

const KY: &str = "k,y
    a,10
    c,30
    ,40
    a,11";

/// How often rows are split by keys.
fn splits(frame: &DFrame) -> usize {
    frame.explain().matches("split by ").count()
}

#[test]
fn what_is_spread_already_is_not_spread_again() {
    let t = DFrame::from_polars(table(KX), 3).shuffle(["k"], 4);
    for (frame, expected) in [
        (t.shuffle(["k"], 4), 1),
        (t.filter(col("x").gt(lit(1))).shuffle(["k"], 4), 1),
        (t.rename([("k", "q")]).shuffle(["q"], 4), 1),
        (t.with_columns([(col("x") * lit(2)).alias("k")]).shuffle(["k"], 4), 2),
        (t.shuffle(["g"], 4), 2),
        (t.shuffle(["k"], 3), 2),
        (t.group_by(["k"]).agg([col("x").median()]), 1),
        (t.group_by(["k", "g"]).agg([col("x").median()]), 1),
        (t.group_by(["g"]).agg([col("x").median()]), 2),
        (t.group_by(["k"]).split_out(4).sum(), 1),
        (t.group_by(["k"]).split_out(5).sum(), 2),
        (t.unique_with(["k"], UniqueKeepStrategy::None), 1),
        (t.unique_with(["g"], UniqueKeepStrategy::None).shuffle(["g"], 4), 2),
    ] {
        assert_eq!(splits(&frame), expected, "{}", frame.explain());
    }
    let medians = |t: &DFrame| t.shuffle(["k"], 4).group_by(["k"]).agg([col("x").median()]);
    check(KX, medians, "k,x\na,2.5\nb,4.5\n,4.5\nc,5.0");
}

#[test]
fn joins_use_what_is_spread_and_spread_what_they_use() {
    let right = DFrame::from_polars(table(KY), 3);
    let by_key = |t: &DFrame| t.shuffle(["k"], 4).join(&right, Join::inner(["k"]).broadcast(false));
    check(KX, by_key, "k,x,g,y\na,1,p,10\na,1,p,11\na,4,q,10\na,4,q,11\nc,5,p,30");
    let twice = |t: &DFrame| by_key(t).join(&right, Join::semi(["k"]).broadcast(false)).group_by(["k"]).agg([col("y").n_unique(), len()]);
    let expected = df!("k" => ["a", "c"], "y" => [2u32, 1], "len" => [4u32, 1]).unwrap();
    check_frame(&table(KX), twice, &expected, false);
    for how in [Join::left(["k"]), Join::anti(["k"]), Join::right(["k"]), Join::full(["k"])] {
        let both = |nulls: bool| {
            let how = how.clone().nulls_equal(nulls).broadcast(false);
            let right = DFrame::from_polars(table(KY), 2);
            DFrame::from_polars(table(KX), 3).join(&right, how).group_by(["k"]).agg([len()]).sort(["k"]).compute().unwrap()
        };
        let whole = |nulls: bool| {
            let how = how.clone().nulls_equal(nulls);
            let right = DFrame::from_polars(table(KY), 1);
            DFrame::from_polars(table(KX), 1).join(&right, how).group_by(["k"]).agg([len()]).sort(["k"]).compute().unwrap()
        };
        assert_eq!((both(false), both(true)), (whole(false), whole(true)));
    }
}

#[test]
fn rows_that_meet_nobody_do_not_travel() {
    let (left, right) = (DFrame::from_polars(table(KX), 3), DFrame::from_polars(table(KY), 3));
    let plan = |how: Join| left.join(&right, how.broadcast(false)).explain();
    assert_eq!(plan(Join::inner(["k"])).matches("without nulls").count(), 2);
    let one_side = plan(Join::left(["k"]));
    assert_eq!((one_side.matches("without nulls").count(), one_side.matches("nulls to all").count()), (1, 1), "{one_side}");
    assert!(!plan(Join::inner(["k"]).nulls_equal(true)).contains("nulls"));
}

#[test]
fn filters_on_keys_go_to_both_sides() {
    let (_a, left) = file("left.csv", "k,x\na,1\nb,2\na,3\n");
    let (_b, right) = file("right.csv", "id,y\na,10\nc,20\nb,30\n");
    let left = DFrame::read_csv_with(&left, CsvOptions::new()).unwrap();
    let right = DFrame::read_csv_with(&right, CsvOptions::new()).unwrap();
    for how in [Join::inner(["k"]), Join::left(["k"]), Join::semi(["k"]), Join::anti(["k"])] {
        let joined = left.join(&right, how.right_on(["id"])).filter(col("k").eq(lit("a")));
        let plan = joined.explain();
        assert!(plan.contains("where [(k) == ('a')]") && plan.contains("where [(id) == ('a')]"), "{plan}");
    }
    let found = left.join(&right, Join::anti(["k"]).right_on(["id"])).filter(col("k").gt(lit("a"))).compute().unwrap();
    assert_eq!(found.height(), 0);
}

/// The key columns of right and full joins hold the key of either side.
#[test]
fn filters_on_keys_of_either_side_go_to_both() {
    let (left, right) = (DFrame::from_polars(table(KX), 3), DFrame::from_polars(table(KY), 2));
    for how in [Join::right(["k"]), Join::full(["k"])] {
        for nulls in [false, true] {
            let joined = |left: &DFrame| left.join(&right, how.clone().nulls_equal(nulls).broadcast(false));
            let plan = joined(&left).filter(col("k").lt_eq(lit("b"))).explain();
            let rewritten = plan.split("rewritten").nth(1).unwrap_or_default().split("layers").next().unwrap_or_default();
            assert_eq!(rewritten.matches("filter [(k) <= ('b')]").count(), 2, "{plan}");
            for predicate in [col("k").lt_eq(lit("b")), col("k").neq_missing(lit("a")), col("k").gt(lit("a")).and(col("x").gt(lit(1)))] {
                let whole = joined(&DFrame::from_polars(table(KX), 1)).compute().unwrap();
                let expected = whole.lazy().filter(predicate.clone()).collect().unwrap();
                check_frame(&table(KX), |left| joined(left).filter(predicate.clone()), &expected, false);
            }
            // Only a filter on keys goes down.
            let kept = joined(&left).filter(col("k").eq(lit("a")).or(col("g").is_null())).explain();
            assert!(kept.split("rewritten").nth(1).unwrap_or(&kept).contains("filter [([(k) == ('a')]) |"), "{kept}");
        }
    }
}

/// A join that two read is done once, with a filter on one of the readers and without; files are read twice, each time less.
#[test]
fn filters_do_not_make_work_twice() {
    let (left, right) = (DFrame::from_polars(table(KX), 3), DFrame::from_polars(table(KY), 2));
    let joined = left.join(&right, Join::inner(["k"]).broadcast(false));
    let both = DFrame::concat([joined.filter(col("x").gt(lit(3))), joined.filter(col("y").lt(lit(11)))]);
    assert_eq!(splits(&both), 2, "{}", both.explain());
    assert_eq!(both.len().unwrap(), 5);
    let totals = left.group_by(["k"]).agg([col("x").sum()]);
    let twice =
        |totals: &DFrame| totals.filter(col("k").eq(lit("a"))).join(&totals.filter(col("x").gt(lit(5))), Join::full(["k"]).suffix("_r"));
    assert_eq!(twice(&totals).explain().matches("partial sum(x) by k").count(), 1, "{}", twice(&totals).explain());
    check(KX, |t| twice(&t.group_by(["k"]).agg([col("x").sum()])), "k,x,x_r\na,5,\nb,,9\n,,9");
    // Partitions that were chosen stay those that they were.
    let some = totals.filter(col("k").is_not_null()).partitions([0]);
    assert_eq!(DFrame::concat([some, totals.clone()]).len().unwrap(), 7);
}

#[test]
fn what_is_written_twice_is_done_once() {
    let (_guard, path) = file("t.csv", format!("k,x,y\n{}", "a,1,2\nb,3,4\n".repeat(50)));
    let read = || DFrame::read_csv(&path).unwrap();
    let largest = read().group_by(["k"]).agg([col("x").max()]);
    let sums = read().group_by(["k"]).agg([col("y").sum()]);
    let both = largest.join(&sums, Join::inner(["k"]));
    let layers = |frame: &DFrame| frame.explain().split("layers\n").nth(1).unwrap_or_default().to_string();
    assert_eq!(layers(&both).matches("t.csv, ").count(), 1, "{}", both.explain());
    assert_eq!(both.sort(["k"]).compute().unwrap(), df!("k" => ["a", "b"], "x" => [1i64, 3], "y" => [100i64, 200]).unwrap());
    let t = |t: &DFrame| {
        let totals = t.group_by(["k"]).agg([col("x").sum().alias("all")]);
        t.join(&totals, Join::left(["k"])).select([col("k"), col("x"), (col("x") * lit(2)).alias("all")])
    };
    check_in_order("k,x\na,1\nb,2\na,3", t, "k,x,all\na,1,2\nb,2,4\na,3,6");
}

#[test]
fn limits_stop_readers_and_what_works_row_by_row() {
    let text: String = (0..1000).map(|i| format!("{i},{}\n", i % 7)).collect();
    let (_guard, path) = file("t.csv", format!("i,k\n{text}"));
    let t = DFrame::read_csv_with(&path, CsvOptions::new().blocksize(1000u64)).unwrap();
    let doubled = t.select([(col("i") * lit(2)).alias("d"), col("k")]);
    let plan = doubled.limit(5).explain();
    assert!(plan.contains("at most 5 rows of each block"), "{plan}");
    for (offset, length) in [(0i64, 5usize), (3, 4), (130, 20), (990, 50), (0, 0)] {
        let expected: Vec<i64> = (0..1000).skip(offset as usize).take(length).map(|i| i * 2).collect();
        assert_eq!(doubled.select(["d"]).slice(offset, length).compute().unwrap(), df!("d" => expected).unwrap());
    }
    // Rows that a filter takes away do not count.
    let kept = doubled.filter(col("k").eq(lit(3))).limit(3);
    assert!(kept.explain().contains("where [(k) == (dyn int: 3)], at most 3 rows"), "{}", kept.explain());
    assert_eq!(kept.compute().unwrap(), df!("d" => [6i64, 20, 34], "k" => [3i64, 3, 3]).unwrap());
    // From the end nothing is known of the beginning.
    assert!(!doubled.slice(-5, 5).explain().contains("at most"));
    let largest = doubled.top_k(2, ["k", "d"]);
    let bottom = largest.select(["d"]).compute().unwrap();
    assert_eq!(bottom, df!("d" => [1986i64, 1972]).unwrap());
    let renamed = t.rename([("i", "n")]).with_column((col("n") * lit(3)).alias("m")).top_k(1, ["n"]);
    let lines: Vec<String> = renamed.explain().split("rewritten").nth(1).unwrap_or_default().lines().map(str::to_string).collect();
    let place = |what: &str| lines.iter().position(|line| line.contains(what));
    assert!(place("with_columns") < place("first 1 by i"), "{lines:?}");
    assert_eq!(renamed.select(["m"]).compute().unwrap(), df!("m" => [2997i64]).unwrap());
}

/// Partitions as large as was asked for, by measured bytes; joins after it decide by them.
#[test]
fn partitions_follow_measured_bytes() {
    let rows: Vec<i64> = (0..4000).collect();
    let table = df!("x" => &rows, "y" => rows.iter().map(|x| x % 7).collect::<Vec<_>>()).unwrap();
    let uneven = DFrame::concat([
        DFrame::from_polars(table.clone(), 3).filter(col("x").gt_eq(lit(3990))),
        DFrame::from_polars(table.clone(), 50).filter(col("y").eq(lit(3))),
        DFrame::from_polars(table.clone(), 1),
    ]);
    for (name, executor) in executors() {
        let even = uneven.repartition_bytes_on(&*executor, "10kB").unwrap_or_else(|e| panic!("{name}: {e}"));
        let found = even.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}")).frame;
        assert_eq!(found, uneven.compute().unwrap(), "{name}");
        let bytes: Vec<usize> = (0..even.npartitions().unwrap()).map(|at| even.partitions([at]).compute().unwrap().height() * 16).collect();
        assert!(bytes.len() == 8 && bytes.iter().all(|bytes| (5_000..=10_000).contains(bytes)), "{name}: {bytes:?}");
        assert!(even.explain().contains("repartition to 8 of about"), "{}", even.explain());
        assert!(even.explain().contains(&format!("(about {} rows", found.height())), "{}", even.explain());
    }
    let none = DFrame::from_polars(table, 5).filter(col("y").eq(lit(9))).repartition_bytes("1MB").unwrap();
    assert_eq!((none.npartitions().unwrap(), none.len().unwrap()), (1, 0));
    assert!(uneven.repartition_bytes("many").is_err() && uneven.repartition_bytes(0u64).is_err());
}

/// The bytes that a step gave and the seconds that it took, by what is told of a run. The step's line begins so.
fn measured(told: &str, step: &str) -> Option<(u64, f64)> {
    let numbers: Vec<&str> = told.lines().find(|line| line.trim_start().starts_with(step))?.rsplit(", ").collect();
    let [seconds, bytes, ..] = numbers[..] else { return None };
    let bytes: ByteSize = bytes.parse().ok()?;
    Some((bytes.as_u64(), seconds.strip_suffix(" s")?.parse().ok()?))
}

#[test]
fn what_ran_is_told() {
    let frame = DFrame::from_polars(table(KX), 3);
    let kept = frame.filter(col("x").gt(lit(2)));
    for (name, executor) in executors() {
        // A simulated cluster tells remarks too, of tasks that ran several times among them.
        let told = kept.shuffle(["k"], 2).explain_analyze_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(told.contains("filter [(x) > (dyn int: 2)]: 3 tasks, 5 rows"), "{name}: {told}");
        assert!(told.contains("shuffle by k into 2: 2 tasks, 5 rows"), "{name}: {told}");
        // A row has a number and two short texts.
        for step in ["filter [", "shuffle by"] {
            assert!(measured(&told, step).is_some_and(|(bytes, _)| (5 * 8..5 * 80).contains(&bytes)), "{name}: {told}");
        }
        // What was measured is nobody's remark.
        assert_eq!(kept.shuffle(["k"], 2).compute_on(&*executor).unwrap().notes, Vec::<String>::new(), "{name}");
    }
    assert!(kept.explain().contains("(about 7 rows"));
    // Work that can be felt takes time, in this process and in others.
    let many = df!("x" => (0..200_000i64).map(|x| x * 7919 % 100_003).collect::<Vec<_>>()).unwrap();
    let sorted = DFrame::from_polars(many, 2).sort(["x"]);
    for (name, executor) in executors().into_iter().take(4) {
        let told = sorted.explain_analyze_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (bytes, seconds) = measured(&told, "sort by x:").unwrap_or_else(|| panic!("{name}: {told}"));
        assert!(seconds > 0.0 && (1_500_000..1_700_000).contains(&bytes), "{name}: {told}");
    }
}

#[test]
fn partitions_that_were_counted_keep_their_rows_whatever_is_wanted_of_them() {
    let numbers = |rows: i64| (0..rows).collect::<Vec<i64>>();
    let left = DFrame::from_polars(df!("k" => numbers(200_000), "a" => numbers(200_000)).unwrap(), 4);
    // With all columns too large to be handed to all partitions, with the key alone not.
    let keys = DFrame::from_polars(df!("k" => numbers(100_000)).unwrap(), 4);
    let right = keys.with_columns([(col("k") + lit(1i64)).alias("y"), (col("k") + lit(2i64)).alias("z")]);
    let joined = left.join(&right, Join::left(["k"]));
    for counted in [joined.repartition_bytes("1MB").unwrap(), joined.partitions([0])] {
        assert_eq!(counted.select(["a"]).compute().unwrap(), counted.compute().unwrap().select(["a"]).unwrap());
    }
    // Beside another reader of the same rows only the key of them goes into the join.
    let right = DFrame::from_polars(df!("k" => numbers(100_000), "y" => numbers(100_000), "z" => numbers(100_000)).unwrap(), 4);
    let joined = left.join(&right, Join::left(["k"])).select(["a"]);
    let both = DFrame::concat([joined.repartition_bytes("1MB").unwrap(), right.select([col("y").alias("a")])]);
    assert_eq!(both.agg([len(), col("a").sum()]).compute().unwrap(), df!("len" => [300_000u32], "a" => [24_999_850_000i64]).unwrap());
}
