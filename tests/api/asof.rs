//! As-of joins, the right side small, shuffled and in ranges, against tables written out and against rows found one by one.

use std::time::Duration;

use super::check::{assert_close, check, check_frame, check_in_order, executors, failure, table};
use super::random_frames::{Row, frame, rows};
use partita::polars::prelude::*;
use partita::prelude::{AsOf, DFrame, col, lit};
use partita::{Code, Tolerance};
use proptest::option;
use proptest::prelude::{ProptestConfig, proptest};

const TRADES: &str = "t,s,p
    10,a,1
    3,b,2
    7,a,3
    ,a,4
    20,c,5";

const QUOTES: &str = "t,s,q
    7,a,70
    1,a,10
    7,a,71
    5,b,50
    30,c,300";

/// Nobody knows the size of some partitions, so both sides are shuffled or split into ranges.
fn unknown(frame: &DFrame) -> DFrame {
    frame.partitions(0..frame.npartitions().unwrap())
}

/// The right side in 1 and 3 partitions, small and of unknown size.
fn check_all(asof: impl Fn() -> AsOf, expected: &str) {
    for partitions in [1, 3] {
        let quotes = DFrame::from_polars(table(QUOTES), partitions);
        check(TRADES, |trades| trades.join_asof(&quotes, asof()), expected);
        check(TRADES, |trades| unknown(trades).join_asof(&unknown(&quotes), asof()), expected);
    }
}

#[test]
fn directions() {
    check_all(|| AsOf::on("t").suffix("_q"), "t,s,p,s_q,q\n10,a,1,a,71\n3,b,2,a,10\n7,a,3,a,71\n,a,4,,\n20,c,5,a,71");
    check_all(|| AsOf::on("t").by(["s"]), "t,s,p,q\n10,a,1,71\n3,b,2,\n7,a,3,71\n,a,4,\n20,c,5,");
    check_all(|| AsOf::on("t").by(["s"]).forward(), "t,s,p,q\n10,a,1,\n3,b,2,50\n7,a,3,70\n,a,4,\n20,c,5,300");
    check_all(|| AsOf::on("t").by(["s"]).nearest(), "t,s,p,q\n10,a,1,71\n3,b,2,50\n7,a,3,71\n,a,4,\n20,c,5,300");
    check_all(|| AsOf::on("t").by(["s"]).allow_exact_matches(false), "t,s,p,q\n10,a,1,71\n3,b,2,\n7,a,3,10\n,a,4,\n20,c,5,");
    check_all(|| AsOf::on("t").by(["s"]).nearest().tolerance(2), "t,s,p,q\n10,a,1,\n3,b,2,50\n7,a,3,71\n,a,4,\n20,c,5,");
}

#[test]
fn rows_keep_their_order_beside_a_small_frame() {
    let quotes = DFrame::from_polars(table(QUOTES), 3);
    let joined = |trades: &DFrame| trades.join_asof(&quotes, AsOf::on("t").by(["s"])).select(["p", "q"]);
    check_in_order(TRADES, joined, "p,q\n1,71\n2,\n3,71\n4,\n5,");
    let filtered = |trades: &DFrame| trades.join_asof(&quotes, AsOf::on("t").by(["s"])).filter(col("t").gt(lit(5))).select(["p", "q"]);
    check_in_order(TRADES, filtered, "p,q\n1,71\n3,71\n5,");
    let found = |trades: &DFrame| trades.join_asof(&quotes, AsOf::on("t").by(["s"])).filter(col("q").is_not_null()).select(["p"]);
    check_in_order(TRADES, found, "p\n1\n3");
}

#[test]
fn columns_of_other_names_and_types() {
    let quotes = DFrame::from_polars(table(QUOTES), 2).rename([("t", "at"), ("s", "symbol")]);
    let asof = || AsOf::on("t").right_on("at").by(["s"]).right_by(["symbol"]);
    check(TRADES, |trades| trades.join_asof(&quotes, asof()), "t,s,p,at,q\n10,a,1,7,71\n3,b,2,,\n7,a,3,7,71\n,a,4,,\n20,c,5,,");
    let narrow = quotes.cast([("at", DataType::Int32)]);
    check(TRADES, |trades| trades.join_asof(&narrow, asof()).select(["p", "q"]), "p,q\n1,71\n2,\n3,71\n4,\n5,");
    let days =
        |days: Vec<i32>, name: &str| df!("d" => days.clone(), name => days).unwrap().lazy().with_column(col("d").cast(DataType::Date));
    let (left, right) = (days(vec![10, 20], "x").collect().unwrap(), days(vec![8, 15, 16], "y").collect().unwrap());
    let expected = |y: [Option<i32>; 2]| left.hstack(&[Column::new("y".into(), y)]).unwrap();
    let joined = |hours: u64| {
        let right = DFrame::from_polars(right.clone(), 2);
        move |left: &DFrame| left.join_asof(&right, AsOf::on("d").tolerance(Duration::from_secs(3600 * hours)))
    };
    check_frame(&left, joined(48), &expected([Some(8), None]), true);
    check_frame(&left, joined(96), &expected([Some(8), Some(16)]), true);
    let unsigned = |values: [u64; 2], name: &str| df!("u" => values, name => [1i64, 2]).unwrap();
    let large = unsigned([u64::MAX, 5], "y");
    let found = DFrame::from_polars(unsigned([u64::MAX - 1, 3], "x"), 1);
    let found = found.join_asof(&DFrame::from_polars(large, 2), AsOf::on("u").nearest()).select(["x", "y"]).compute().unwrap();
    assert_eq!(found, df!("x" => [1i64, 2], "y" => [1i64, 2]).unwrap());
}

#[test]
fn what_does_not_fit() {
    let (trades, quotes) = (DFrame::from_polars(table(TRADES), 2), DFrame::from_polars(table(QUOTES), 2));
    let join = |asof: AsOf| trades.join_asof(&quotes, asof);
    assert!(failure(&join(AsOf::on("tt").by(["s"])), Code::ColumnNotFound).contains("asof.rs:"));
    failure(&join(AsOf::on("p").by(["s"])), Code::ColumnNotFound);
    failure(&join(AsOf::on("t")), Code::DuplicateColumn);
    failure(&join(AsOf::on("s").suffix("_q")), Code::TypeMismatch);
    failure(&join(AsOf::on("t").right_on("s").suffix("_q")), Code::TypeMismatch);
    failure(&join(AsOf::on("t").by(["s"]).right_by(["s", "q"])), Code::InvalidOption);
    failure(&join(AsOf::on("t").by(["s"]).tolerance(-1)), Code::InvalidOption);
    failure(&join(AsOf::on("t").by(["s"]).tolerance(0.5)), Code::InvalidOption);
    assert!(failure(&join(AsOf::on("t").by(["s"]).tolerance(Duration::from_secs(1))), Code::InvalidOption).contains("i64"));
}

/// Keys to agree on.
const KEYS: [&[&str]; 5] = [&[], &["t"], &["c"], &["t", "b"], &["b", "c"]];

/// How rows are looked for: at 0 backward, at 1 forward, at 2 the nearest.
struct Look<'a> {
    on: &'a str,
    by: &'a [&'a str],
    direction: usize,
    exact: bool,
    within: Option<f64>,
}

/// For each left row the right one, by looking at all of them.
fn expected(left: &DataFrame, right: &DataFrame, look: &Look<'_>) -> DataFrame {
    let times = |frame: &DataFrame| -> Vec<Option<f64>> {
        let column = frame.column(look.on).unwrap().cast(&DataType::Float64).unwrap();
        column.f64().unwrap().iter().map(|time| time.filter(|time| !time.is_nan())).collect()
    };
    let groups = |frame: &DataFrame| -> Vec<Option<Vec<String>>> {
        let texts = |by: &&str| {
            let column = frame.column(by).unwrap().cast(&DataType::String).unwrap();
            column.str().unwrap().iter().map(|text| text.map(str::to_string)).collect::<Vec<_>>()
        };
        let columns: Vec<Vec<Option<String>>> = look.by.iter().map(texts).collect();
        (0..frame.height()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
    };
    let (left_times, right_times, left_groups, right_groups) = (times(left), times(right), groups(left), groups(right));
    let found = (0..left.height()).map(|l| {
        let time = left_times[l]?;
        let mut best: Option<(f64, usize)> = None;
        for r in 0..right.height() {
            let Some(other) = right_times[r].filter(|_| left_groups[l].is_some() && left_groups[l] == right_groups[r]) else { continue };
            let fits = (look.direction != 0 && other > time) || (look.direction != 1 && other < time) || (look.exact && other == time);
            // Of equally near ones those before, and of these the last; looking ahead the first.
            let (distance, ahead) = ((other - time).abs(), other > time || look.direction == 1);
            let better = best.is_none_or(|(known, _)| distance < known || (distance == known && !ahead));
            if fits && better && look.within.is_none_or(|within| distance <= within) {
                best = Some((distance, r));
            }
        }
        best.map(|(_, r)| r as IdxSize)
    });
    let index = IdxCa::from_iter_options(PlSmallStr::EMPTY, found);
    let picked = right.column("i").unwrap().take(&index).unwrap().with_name("found".into());
    DataFrame::new(left.height(), vec![left.column("i").unwrap().clone(), picked]).unwrap()
}

/// Times that fit into floats without a loss.
fn tamed(rows: &[Row]) -> DataFrame {
    frame(rows).lazy().with_column(col("k") % lit(1000)).collect().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn rows_like_those_found_one_by_one(
        left in rows(30), right in rows(30), cut in 1usize..5, other_cut in 1usize..5, on in 0usize..4, by in 0usize..5, direction in 0usize..3, exact: bool,
        steps in option::of(0i64..12),
    ) {
        let (left, right) = (tamed(&left), tamed(&right));
        let on = ["k", "f", "d", "n"][on];
        let by = KEYS[by];
        // A step is one of whole numbers, a quarter of floats, and 300 days.
        let within = steps.map(|steps| match on {
            "f" => (Tolerance::Float(steps as f64 / 4.0), steps as f64 / 4.0),
            "d" => (Tolerance::Time(Duration::from_secs(steps as u64 * 300 * 86_400)), steps as f64 * 300.0),
            _ => (Tolerance::Whole(steps), steps as f64),
        });
        let expected = expected(&left, &right, &Look { on, by, direction, exact, within: within.map(|(_, within)| within) });
        let mut asof = AsOf::on(on).allow_exact_matches(exact).suffix("_r");
        asof = match direction {
            0 => asof,
            1 => asof.forward(),
            _ => asof.nearest(),
        };
        if !by.is_empty() {
            asof = asof.by(by.to_vec());
        }
        if let Some((tolerance, _)) = within {
            asof = asof.tolerance(tolerance);
        }
        let (left, right) = (DFrame::from_polars(left, cut), DFrame::from_polars(right, other_cut));
        let picked = |joined: DFrame| joined.select([col("i"), col("i_r").alias("found")]);
        let small = picked(left.join_asof(&right, asof.clone()));
        let large = picked(unknown(&left).join_asof(&unknown(&right), asof));
        for (name, executor) in executors() {
            assert_close(&small.compute_on(&*executor).unwrap().frame, &expected, true, &name);
            assert_close(&large.compute_on(&*executor).unwrap().frame, &expected, false, &name);
        }
    }
}
