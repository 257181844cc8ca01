//! Statistics of whole frames: quantiles, descriptions, covariances.

use super::check::{assert_close, check, check_frame, check_in_order, executors, failure, table};
use super::random_frames::{frame, rows};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, QuantileMethod, col, lit};
use proptest::prelude::{ProptestConfig, proptest};

const XY: &str = "t,x,y
    a,4,0.5
    b,1,
    c,,2.5
    d,10,-1.0
    e,2,8.0";

const METHODS: [QuantileMethod; 6] = [
    QuantileMethod::Nearest,
    QuantileMethod::Lower,
    QuantileMethod::Higher,
    QuantileMethod::Midpoint,
    QuantileMethod::Linear,
    QuantileMethod::Equiprobable,
];

#[test]
fn quantiles() {
    check_in_order(XY, |t| t.median(), "x,y\n3.0,1.5");
    check_in_order(XY, |t| t.quantile(0.25, QuantileMethod::Linear), "x,y\n1.75,0.125");
    check_in_order(XY, |t| t.quantile(0.25, QuantileMethod::Lower), "x,y\n1.0,-1.0");
    check_in_order(XY, |t| t.quantile(1.0, QuantileMethod::Nearest).select(["y"]), "y\n8.0");
    check(XY, |t| t.group_by([col("x").is_null().alias("no")]).median().select(["no", "y"]), "no,y\nfalse,0.5\ntrue,2.5");
    let none = df!("x" => [None::<f64>], "y" => [None::<f64>]).unwrap();
    check_frame(&table(XY), |t| t.filter(col("t").eq(lit("nobody"))).median(), &none, true);
    let narrow = df!("x" => [1.5f32]).unwrap();
    check_frame(&df!("x" => [1.0f32, 2.0]).unwrap(), |t| t.median(), &narrow, true);
    let noted = DFrame::from_polars(table(XY), 2).median().compute_on(&*executors()[0].1).unwrap();
    assert!(noted.notes.iter().any(|note| note.contains(".median() leaves out") && note.contains('t')), "{:?}", noted.notes);
}

#[test]
fn nearly_right_answers() {
    check_in_order(XY, |t| t.median_approx(), "x,y\n3.0,1.5");
    check_in_order(XY, |t| t.quantile_approx(0.25), "x,y\n1.75,0.125");
    let different = df!("t" => [5u32], "x" => [5u32], "y" => [5u32]).unwrap();
    check_frame(&table(XY), |t| t.n_unique_approx(), &different, true);
    check_frame(&table(XY), |t| t.n_unique_approx().select(["x"]), &different.select(["x"]).unwrap(), true);
    let none = df!("x" => [None::<f64>], "y" => [None::<f64>]).unwrap();
    check_frame(&table(XY), |t| t.filter(col("t").eq(lit("nobody"))).median_approx(), &none, true);
    let many = df!("x" => (0..40_000i64).map(|i| i * 7919 % 20_011).collect::<Vec<_>>()).unwrap();
    let frame = DFrame::from_polars(many, 40);
    let about =
        |frame: DFrame| frame.cast([("x", DataType::Float64)]).compute().unwrap().column("x").unwrap().f64().unwrap().get(0).unwrap();
    assert!((about(frame.n_unique_approx()) / 20_011.0 - 1.0).abs() < 0.04);
    assert!((about(frame.quantile_approx(0.9)) / about(frame.quantile(0.9, QuantileMethod::Linear)) - 1.0).abs() < 0.01);
}

/// Many more values than are looked at; in some columns most of them are one value.
#[test]
fn quantiles_of_many_values() {
    let n = 50_000i64;
    let floats: Vec<f64> = (0..n).map(|i| ((i * 7919) % 49_999) as f64 / 8.0).collect();
    let same: Vec<i64> = (0..n).map(|i| if i % 5 == 0 { i % 777 } else { 300 }).collect();
    let nulls: Vec<Option<i32>> = (0..n as i32).map(|i| (i % 3 == 0).then_some(i * 31 % 1009)).collect();
    let whole = df!("f" => floats, "s" => same, "n" => nulls).unwrap();
    let frame = DFrame::from_polars(whole.clone(), 7);
    use QuantileMethod::{Linear, Midpoint, Nearest};
    for (quantile, method) in [(0.0, Linear), (0.123, Linear), (0.5, Midpoint), (0.999, Nearest)] {
        let expected =
            whole.clone().lazy().select(["f", "s", "n"].map(|name| col(name).quantile(lit(quantile), method))).collect().unwrap();
        let found = frame.quantile(quantile, method).compute().unwrap();
        assert_close(&found, &expected, true, &format!("{quantile} {method:?}"));
    }
}

#[test]
fn descriptions() {
    let statistics = ["count", "null_count", "mean", "std", "min", "25%", "50%", "75%", "max"];
    let x = [4.0, 1.0, 4.25, 4.031128874149275, 1.0, 1.75, 3.0, 5.5, 10.0];
    let y = [4.0, 1.0, 2.5, 3.9370039370059056, -1.0, 0.125, 1.5, 3.875, 8.0];
    let expected = df!("statistic" => statistics, "x" => x, "y" => y).unwrap();
    check_frame(&table(XY), |t| t.describe(), &expected, true);
    check_in_order(XY, |t| t.describe().filter(col("statistic").eq(lit("max"))).select(["x"]), "x\n10.0");
}

#[test]
fn pairs_of_columns() {
    // Of x and y only the rows a, d and e have both.
    let expected = df!("column" => ["x", "y"], "x" => [16.25, -16.0], "y" => [-16.0, 15.5]).unwrap();
    check_frame(&table(XY), |t| t.cov(), &expected, true);
    check_frame(&table(XY), |t| t.cov().select(["column", "y"]), &expected.select(["column", "y"]).unwrap(), true);
    let line = "x,y\n1,-2\n2,-4\n3,-6\n7,-14";
    check_in_order(line, |t| t.corr(), "column,x,y\nx,1.0,-1.0\ny,-1.0,1.0");
    let one = df!("column" => ["x"], "x" => [None::<f64>]).unwrap();
    check_frame(&df!("x" => [1i64]).unwrap(), |t| t.cov(), &one, true);
}

#[test]
fn what_does_not_fit() {
    let t = DFrame::from_polars(table(XY), 2);
    failure(&t.quantile(1.5, QuantileMethod::Linear), Code::InvalidOption);
    failure(&t.quantile(f64::NAN, QuantileMethod::Linear), Code::InvalidOption);
    failure(&t.quantile_approx(-0.5), Code::InvalidOption);
    failure(&t.select(["t"]).median_approx(), Code::TypeMismatch);
    let texts = t.select(["t"]);
    for broken in [texts.median(), texts.cov(), texts.corr(), texts.describe()] {
        assert!(failure(&broken, Code::TypeMismatch).contains("statistics.rs:"));
    }
    failure(&t.rename([("x", "column")]).cov(), Code::DuplicateColumn);
    failure(&t.rename([("x", "statistic")]).describe(), Code::DuplicateColumn);
    failure(&t.mode("u"), Code::ColumnNotFound);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn different_values_of_groups_like_polars(rows in rows(60), partitions in 1usize..8, split in 1usize..4) {
        let whole = frame(&rows);
        let counts = || ["n", "f", "t", "b", "d"].map(|name| col(name).n_unique()).into_iter().chain([col("i").sum()]).collect::<Vec<_>>();
        let expected = whole.clone().lazy().group_by([col("k")]).agg(counts()).collect().unwrap();
        let all = whole.clone().lazy().select(counts()).collect().unwrap();
        let frame = DFrame::from_polars(whole, partitions);
        let ours = frame.group_by(["k"]).split_out(split).agg(counts());
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, false, &name);
            assert_close(&frame.agg(counts()).compute_on(&*executor).unwrap().frame, &all, true, &name);
        }
    }

    #[test]
    fn quantiles_like_polars(rows in rows(60), partitions in 1usize..8, quantile in 0.0f64..=1.0, method in 0usize..6) {
        let whole = frame(&rows);
        let quantiles = ["k", "n", "f", "i"].map(|name| col(name).quantile(lit(quantile), METHODS[method]));
        let expected = whole.clone().lazy().select(quantiles).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).quantile(quantile, METHODS[method]);
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, true, &name);
        }
    }
}
