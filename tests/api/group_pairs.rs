//! Correlations and covariances of groups: against sums over each group, with nulls, constants, and numbers far from zero.

use super::check::{check, check_frame, failure};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, col, lit};

const KXY: &str = "k,x,y,t
    a,1,2.0,p
    b,5,1.0,q
    a,2,4.0,r
    ,3,1.0,s
    a,3,6.0,t
    b,,7.0,u
    ,5,-3.0,v
    b,6,,w
    a,4,,x
    c,1,1.0,y
    c,2,1.0,z";

#[test]
fn pairs_of_groups() {
    check(KXY, |t| t.group_by("k").corr("x", "y"), "k,corr\na,1.0\nb,\n,-1.0\nc,NaN");
    check(KXY, |t| t.group_by("k").cov("x", "y"), "k,cov\na,2.0\nb,\n,-4.0\nc,0.0");
    check(KXY, |t| t.group_by(["k"]).cov(col("x") * lit(2), "x").filter(col("k").eq(lit("a"))), "k,cov\na,3.3333333333333335");
    check(KXY, |t| t.group_by([(col("x") % lit(2)).alias("odd")]).split_out(3).cov("y", "y"), "odd,cov\n1,8.266666666666667\n0,4.5\n,");
    let empty = df!("k" => ["a"], "corr" => [1.0]).unwrap().clear();
    check(KXY, |t| t.filter(col("x").gt(lit(99))).group_by("k").corr("x", "y").select(["corr"]).sum(), "corr\n0.0");
    let none = df!("k" => ["a"], "x" => [1.0]).unwrap().clear();
    check_frame(&none, |t| t.group_by("k").corr("x", "x"), &empty, true);
}

/// Sums of products would lose all digits here: the numbers are alike up to the last few.
#[test]
fn like_each_group_alone_and_far_from_zero() {
    let rows = 3_000i64;
    let key = |row: i64| row * 7919 % 37;
    let x = |row: i64| 1e8 + (row * row % 101) as f64 / 8.0;
    let y = |row: i64| -3e8 + (row * 13 % 57) as f64 / 4.0 + (row * row % 101) as f64 / 16.0;
    let column = |of: &dyn Fn(i64) -> f64| (0..rows).map(of).collect::<Vec<_>>();
    let frame = df!("k" => (0..rows).map(key).collect::<Vec<_>>(), "x" => column(&x), "y" => column(&y)).unwrap();
    let correlation = |group: i64| {
        let of = |f: &dyn Fn(i64) -> f64| (0..rows).filter(|row| key(*row) == group).map(f).collect::<Vec<_>>();
        let (x, y) = (of(&|row| x(row) - 1e8), of(&|row| y(row) + 3e8));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (mx, my) = (mean(&x), mean(&y));
        let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(&y).map(|(x, y)| f(x - mx, y - my)).sum::<f64>();
        sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
    };
    for partitions in [1, 2, 5, 40] {
        let found = DFrame::from_polars(frame.clone(), partitions).group_by("k").corr("x", "y").compute().unwrap();
        assert_eq!(found.height(), 37);
        let pairs = found.column("k").unwrap().i64().unwrap().into_no_null_iter().zip(found.column("corr").unwrap().f64().unwrap().iter());
        for (group, found) in pairs {
            let (found, expected) = (found.expect("many rows"), correlation(group));
            assert!((found - expected).abs() < 1e-6, "{partitions} partitions, group {group}: {found} instead of {expected}");
        }
    }
}

#[test]
fn what_cannot_be_asked() {
    let frame = DFrame::from_polars(df!("k" => ["a"], "x" => [1.0], "corr" => ["b"]).unwrap(), 1);
    assert!(failure(&frame.group_by(["k"]).corr("x", "z"), Code::ColumnNotFound).contains("`z`"));
    assert!(failure(&frame.group_by(["x"]).cov("x", "k"), Code::TypeMismatch).contains("no number"));
    assert!(failure(&frame.group_by(["corr"]).corr("x", "x"), Code::DuplicateColumn).contains("`corr`"));
}
