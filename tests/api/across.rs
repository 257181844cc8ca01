//! What looks at other rows, across the borders of partitions: shifts, running and rolling aggregates, fills, windows.

use super::check::{assert_close, check_frame, check_in_order, executors, failure, table};
use super::random_frames::{frame, rows};
use partita::graph::Serial;
use partita::polars::prelude::*;
use partita::polars::series::ops::NullBehavior;
use partita::prelude::{DFrame, col, lit};
use partita::{Code, Rolling, operator_registry};
use proptest::prelude::{ProptestConfig, proptest};

const KX: &str = "k,x,f
    a,1,0.5
    b,2,
    a,,1.5
    a,4,-2.0
    b,5,
    c,6,4.0
    a,,8.0";

#[test]
fn neighbouring_rows() {
    check_in_order(KX, |t| t.shift(1).select(["k", "x"]), "k,x\n,\na,1\nb,2\na,\na,4\nb,5\nc,6");
    check_in_order(KX, |t| t.select(["x"]).shift(-3).fill_null(lit(0)), "x\n4\n5\n6\n0\n0\n0\n0");
    check_in_order(KX, |t| t.select([col("x").shift(lit(100)).alias("y"), col("k")]).select(["k"]), "k\na\nb\na\na\nb\nc\na");
    check_in_order(KX, |t| t.select(["x", "f"]).diff(3), "x,f\n,\n,\n,\n3,-2.5\n3,\n,2.5\n,10.0");
    let before = |t: &DFrame| t.with_columns([col("x").shift(lit(1)).alias("before")]).filter(col("before").eq(lit(1))).select(["x"]);
    check_in_order(KX, before, "x\n2");
    check_in_order(KX, |t| t.filter(col("x").gt(col("x").shift(lit(1)))).select(["k", "x"]), "k,x\nb,2\nb,5\nc,6");
    check_in_order(KX, |t| t.select([(col("x") + col("x").shift(lit(-1))).fill_null(lit(0))]), "x\n3\n0\n0\n9\n11\n0\n0");
    check_in_order("x\n2.0\n3.0\n1.5", |t| t.pct_change(1).filter(col("x").is_not_null()), "x\n0.5\n-0.5");
    // One inside the other.
    let twice = |t: &DFrame| t.select([col("x").fill_null(lit(0)).shift(lit(1)).cum_sum(false)]).filter(col("x").is_not_null());
    check_in_order(KX, twice, "x\n1\n3\n3\n7\n12\n18");
}

#[test]
fn running_totals() {
    check_in_order(KX, |t| t.cum_sum().select(["f"]).fill_null(lit(-99.0)), "f\n0.5\n-99.0\n2.0\n0.0\n-99.0\n4.0\n12.0");
    check_in_order(KX, |t| t.select(["x"]).cum_sum().fill_null(lit(-1)), "x\n1\n3\n-1\n7\n12\n18\n-1");
    check_in_order(KX, |t| t.cum_prod().select(["f"]).fill_null(lit(-99.0)), "f\n0.5\n-99.0\n0.75\n-1.5\n-99.0\n-6.0\n-48.0");
    check_in_order(KX, |t| t.cum_min().select(["f"]).fill_null(lit(-99.0)), "f\n0.5\n-99.0\n0.5\n-2.0\n-99.0\n-2.0\n-2.0");
    check_in_order(KX, |t| t.cum_max().select(["f"]).fill_null(lit(-99.0)), "f\n0.5\n-99.0\n1.5\n1.5\n-99.0\n4.0\n8.0");
    check_in_order(KX, |t| t.cum_count().cast([("x", DataType::Int64)]).select(["x"]), "x\n1\n2\n2\n3\n4\n5\n5");
    check_in_order(KX, |t| t.select([col("f").cum_sum(true)]).fill_null(lit(-99.0)), "f\n12.0\n-99.0\n11.5\n10.0\n-99.0\n12.0\n8.0");
    let none = |t: &DFrame| t.filter(col("x").gt(lit(100))).cum_sum().select(["x"]);
    check_frame(&table(KX), none, &table(KX).select(["x"]).unwrap().clear(), true);
}

#[test]
fn filled_nulls() {
    check_in_order(KX, |t| t.forward_fill(None).select(["x", "f"]), "x,f\n1,0.5\n2,0.5\n2,1.5\n4,-2.0\n5,-2.0\n6,4.0\n6,8.0");
    check_in_order(KX, |t| t.backward_fill(None).select(["f"]), "f\n0.5\n1.5\n1.5\n-2.0\n4.0\n4.0\n8.0");
    check_in_order(KX, |t| t.fill_null(lit(0)).select(["x", "f"]), "x,f\n1,0.5\n2,0.0\n0,1.5\n4,-2.0\n5,0.0\n6,4.0\n0,8.0");
    let gaps = df!("x" => [None, Some(1), None, None, None, Some(2), None]).unwrap();
    let filled = df!("x" => [None, Some(1), Some(1), Some(1), None, Some(2), Some(2)]).unwrap();
    check_frame(&gaps, |t| t.forward_fill(Some(2)), &filled, true);
    let filled = df!("x" => [Some(1), Some(1), None, Some(2), Some(2), Some(2), None]).unwrap();
    check_frame(&gaps, |t| t.backward_fill(Some(2)), &filled, true);
    check_in_order(KX, |t| t.drop_nulls(), "k,x,f\na,1,0.5\na,4,-2.0\nc,6,4.0");
    check_in_order(KX, |t| t.drop_nulls_in(["f"]).select(["f"]), "f\n0.5\n1.5\n-2.0\n4.0\n8.0");
}

#[test]
fn rolling_windows() {
    check_in_order(KX, |t| t.rolling(2).min_periods(1).sum().select(["f"]), "f\n0.5\n0.5\n1.5\n-0.5\n-2.0\n4.0\n12.0");
    let mean = |t: &DFrame| t.rolling(3).min_periods(2).select(["x"]).mean().fill_null(lit(-1.0));
    check_in_order(KX, mean, "x\n-1.0\n1.5\n1.5\n3.0\n4.5\n5.0\n5.5");
    check_in_order(KX, |t| t.rolling(3).min_periods(1).center(true).select(["f"]).max(), "f\n0.5\n1.5\n1.5\n1.5\n4.0\n8.0\n8.0");
    // Of partitions without rows too the ranks are floats.
    let fn_params = Some(RollingFnParams::Rank { method: RollingRankMethod::Average, seed: None });
    let ranks = RollingOptionsFixedWindow { window_size: 2, min_periods: 1, weights: None, center: false, fn_params };
    let ranked = |t: &DFrame| t.filter(col("x").gt(lit(2))).select([col("x").rolling_rank(ranks.clone()).alias("rank")]);
    check_in_order("x\n1\n2\n3\n5\n4", ranked, "rank\n1.0\n2.0\n1.0");
    let timed = df!("t" => [1i64, 1, 2, 4, 4, 9, 10], "x" => [1i64, 2, 4, 8, 16, 32, 64]).unwrap();
    let expected = df!("t" => [1i64, 1, 2, 4, 4, 9, 10], "x" => [3i64, 3, 7, 28, 28, 32, 96]).unwrap();
    // Rows at one time are in each other's windows, also where a border lies between them.
    check_frame(&timed, |t| t.rolling_by("t", "3i").sum(), &expected, true);
    let days = timed.clone().lazy().with_columns([col("t").cast(DataType::Int32).cast(DataType::Date)]).collect().unwrap();
    let expected = expected.lazy().with_columns([col("t").cast(DataType::Int32).cast(DataType::Date)]).collect().unwrap();
    check_frame(&days, |t| t.rolling_by("t", "3d").sum(), &expected, true);
}

/// Rows at one time and at the ends of windows, on both sides of borders, with gaps that leave windows empty.
fn timed() -> DataFrame {
    let x = [12i64, 7, 1, 8, 2, 9, 4, 14, 5, 0, 11, 10];
    let y: Vec<Option<f64>> = x.iter().map(|x| (x % 4 != 1).then_some(*x as f64 / 4.0)).collect();
    df!("t" => [1i64, 1, 2, 4, 4, 4, 5, 9, 10, 10, 12, 13], "x" => x, "y" => y).unwrap()
}

#[test]
fn ends_of_windows_of_time_like_polars() {
    type Ours = fn(&Rolling) -> DFrame;
    type Theirs = fn(Expr, RollingOptionsDynamicWindow) -> Expr;
    let aggregates: [(Ours, Theirs); 7] = [
        (Rolling::sum, |x, options| x.rolling_sum_by(col("t"), options)),
        (Rolling::mean, |x, options| x.rolling_mean_by(col("t"), options)),
        (Rolling::min, |x, options| x.rolling_min_by(col("t"), options)),
        (Rolling::max, |x, options| x.rolling_max_by(col("t"), options)),
        (Rolling::std, |x, options| x.rolling_std_by(col("t"), options)),
        (Rolling::var, |x, options| x.rolling_var_by(col("t"), options)),
        (Rolling::median, |x, options| x.rolling_median_by(col("t"), options)),
    ];
    let whole = timed();
    for closed_window in [ClosedWindow::Left, ClosedWindow::Right, ClosedWindow::Both, ClosedWindow::None] {
        let window_size = Duration::parse("3i");
        let options = RollingOptionsDynamicWindow { window_size, min_periods: 1, closed_window, fn_params: None };
        let mut together = vec![col("t")];
        for (at, (ours, theirs)) in aggregates.iter().enumerate() {
            let rolled = ["x", "y"].map(|name| theirs(col(name), options.clone()));
            let expected = whole.clone().lazy().select([&[col("t")][..], &rolled[..]].concat()).collect().unwrap();
            together.extend(rolled.into_iter().zip(["x", "y"]).map(|(rolled, name)| rolled.alias(format!("{name}{at}"))));
            for partitions in [1, 2, 3, 5, 12] {
                let windows = DFrame::from_polars(whole.clone(), partitions).rolling_by("t", "3i").closed(closed_window);
                let found = ours(&windows).compute_on(&Serial::new(operator_registry())).unwrap().frame;
                assert_close(&found, &expected, true, &format!("aggregate {at}, {closed_window:?}, {partitions} partitions"));
            }
        }
        let expected = whole.clone().lazy().select(together.clone()).collect().unwrap();
        check_frame(&whole, |t| t.select(together.clone()), &expected, true);
    }
}

#[test]
fn windows_of_rows_like_polars() {
    type Ours = fn(&Rolling) -> DFrame;
    type Theirs = fn(Expr, RollingOptionsFixedWindow) -> Expr;
    let aggregates: [(Ours, Theirs); 7] = [
        (Rolling::sum, |x, options| x.rolling_sum(options)),
        (Rolling::mean, |x, options| x.rolling_mean(options)),
        (Rolling::min, |x, options| x.rolling_min(options)),
        (Rolling::max, |x, options| x.rolling_max(options)),
        (Rolling::std, |x, options| x.rolling_std(options)),
        (Rolling::var, |x, options| x.rolling_var(options)),
        (Rolling::median, |x, options| x.rolling_median(options)),
    ];
    let whole = timed().select(["x", "y"]).unwrap();
    for (min_periods, center) in [(1, false), (3, false), (2, true)] {
        let options = RollingOptionsFixedWindow { window_size: 4, min_periods, weights: None, center, fn_params: None };
        let mut together = Vec::new();
        for (at, (ours, theirs)) in aggregates.iter().enumerate() {
            let rolled = ["x", "y"].map(|name| theirs(col(name), options.clone()));
            let expected = whole.clone().lazy().select(rolled.clone()).collect().unwrap();
            check_frame(&whole, |t| ours(&t.rolling(4).min_periods(min_periods).center(center)), &expected, true);
            together.extend(rolled.into_iter().zip(["x", "y"]).map(|(rolled, name)| rolled.alias(format!("{name}{at}"))));
        }
        together.push(col("x").rolling_quantile(QuantileMethod::Linear, 0.3, options).alias("quantile"));
        let expected = whole.clone().lazy().select(together.clone()).collect().unwrap();
        check_frame(&whole, |t| t.select(together.clone()), &expected, true);
    }
}

#[test]
fn skewness_of_windows_like_polars() {
    let options = |fn_params| RollingOptionsFixedWindow { window_size: 5, min_periods: 4, weights: None, center: false, fn_params };
    let skewed = options(Some(RollingFnParams::Skew { bias: false }));
    let peaked = options(Some(RollingFnParams::Kurtosis { fisher: true, bias: false }));
    let whole = timed().select(["x", "y"]).unwrap();
    let expected = |of: &dyn Fn(Expr) -> Expr| whole.clone().lazy().select([of(col("x")), of(col("y"))]).collect().unwrap();
    check_frame(&whole, |t| t.rolling(5).min_periods(4).skew(), &expected(&|x| x.rolling_skew(skewed.clone())), true);
    check_frame(&whole, |t| t.rolling(5).min_periods(4).kurt(), &expected(&|x| x.rolling_kurtosis(peaked.clone())), true);
}

#[test]
fn rows_with_the_same_keys() {
    let shares = |t: &DFrame| t.with_columns([(col("x") - col("x").min().over([col("k")]).unwrap()).alias("above")]).select(["above"]);
    check_in_order(KX, |t| shares(t).fill_null(lit(-1)), "above\n0\n0\n-1\n3\n3\n0\n-1");
    let counted = |t: &DFrame| t.select([col("k"), col("x").cum_sum(false).over([col("k")]).unwrap().fill_null(lit(0))]);
    check_in_order(KX, counted, "k,x\na,1\nb,2\na,0\na,5\nb,7\nc,6\na,0");
    check_in_order(KX, |t| t.filter(col("x").eq(col("x").max().over([col("k")]).unwrap())), "k,x,f\na,4,-2.0\nb,5,\nc,6,4.0");
    // Two kinds of keys, and neighbours within a group.
    let both = |t: &DFrame| {
        let within = col("f").shift(lit(1)).over([col("k")]).unwrap().alias("before");
        let among = col("k").count().over([col("x").is_null()]).unwrap().cast(DataType::Int64).alias("n");
        t.select([within, among])
    };
    check_in_order(KX, both, "before,n\n,5\n,5\n0.5,2\n1.5,5\n,5\n,5\n-2.0,2");
}

#[test]
fn numbered_rows() {
    let numbered = |t: &DFrame| t.with_row_index("row").cast([("row", DataType::Int64)]);
    check_in_order(KX, |t| numbered(t).filter(col("k").eq(lit("b"))).select(["row", "x"]), "row,x\n1,2\n4,5");
    check_in_order(KX, |t| numbered(t).select(["row"]), "row\n0\n1\n2\n3\n4\n5\n6");
    check_in_order(KX, |t| numbered(&t.filter(col("x").gt(lit(3)))).select(["row"]), "row\n0\n1\n2");
}

#[test]
fn what_does_not_fit() {
    let t = DFrame::from_polars(table(KX), 3);
    assert!(failure(&t.rolling(0).sum(), Code::InvalidOption).contains("across.rs:"));
    failure(&t.rolling(2).min_periods(3).sum(), Code::InvalidOption);
    failure(&t.rolling_by("x", "3").sum(), Code::InvalidOption);
    assert!(failure(&t.rolling_by("x", "3i").center(true).sum(), Code::InvalidOption).contains("leave out .center(true)"));
    assert!(failure(&t.rolling(3).closed(ClosedWindow::Both).sum(), Code::InvalidOption).contains("leave out .closed(…)"));
    failure(&t.rolling_by("x", "3i").kurt(), Code::Unsupported);
    failure(&t.rolling_by("x", "3h").sum(), Code::TypeMismatch);
    failure(&t.rolling_by("y", "3i").sum(), Code::ColumnNotFound);
    failure(&t.rolling_by("x", "3i").select(["f"]).sum(), Code::NotSorted);
    let down = DFrame::from_polars(df!("t" => [2i64, 3, 1, 2], "x" => [1, 2, 3, 4]).unwrap(), 2);
    failure(&down.rolling_by("t", "1i").sum(), Code::NotSorted);
    failure(&t.select(["k"]).cum_sum(), Code::TypeMismatch);
    failure(&t.fill_null(lit(true)), Code::TypeMismatch);
    failure(&t.drop_nulls_in(["y"]), Code::ColumnNotFound);
    failure(&t.with_row_index("x"), Code::DuplicateColumn);
    failure(&t.select([col("x").over([col("kk")]).unwrap()]), Code::ColumnNotFound);
    failure(&t.select([col("x").sum().over([lit(1), col("k")]).unwrap()]), Code::Unsupported);
    failure(&t.with_columns([len().over([lit(1)]).unwrap().alias("n")]), Code::Unsupported);
    failure(&t.with_columns([col("x").reverse()]), Code::Unsupported);
}

/// What is computed of random frames, each a column of its own.
fn looks(by: i64, window: usize, limit: u32) -> Vec<Expr> {
    let options = |center: bool| RollingOptionsFixedWindow {
        window_size: window,
        min_periods: 1 + window / 2,
        weights: None,
        center,
        fn_params: None,
    };
    let over = |expr: Expr| expr.over([col("t"), col("b")]).expect("keys");
    vec![
        col("k").shift(lit(by)).alias("shift"),
        col("t").shift(lit(by)).alias("shift_t"),
        col("f").shift_and_fill(lit(by), lit(7.5)).alias("shift_fill"),
        col("n").diff(lit(by), NullBehavior::Ignore).alias("diff"),
        col("i").cum_sum(false).alias("sum"),
        col("n").cum_sum(true).alias("sum_back"),
        col("f").cum_min(false).alias("min"),
        col("d").cum_max(true).alias("max"),
        col("t").cum_count(false).alias("count"),
        col("b").fill_null_with_strategy(FillNullStrategy::Forward(None)).alias("forward"),
        col("c").fill_null_with_strategy(FillNullStrategy::Backward(None)).alias("backward"),
        col("t").fill_null_with_strategy(FillNullStrategy::Forward(Some(limit))).alias("limited"),
        col("n").rolling_sum(options(false)).alias("rolling"),
        col("n").rolling_max(options(true)).alias("centred"),
        over(col("n").sum()).alias("over_sum"),
        over(col("k").shift(lit(1))).alias("over_shift"),
        over(col("f").first()).alias("over_first"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn other_rows_like_polars(rows in rows(40), partitions in 1usize..8, by in -5i64..6, window in 1usize..6, limit in 1u32..4) {
        let whole = frame(&rows);
        let expected = whole.clone().lazy().select(looks(by, window, limit)).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).select(looks(by, window, limit));
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, true, &name);
        }
    }

    #[test]
    fn windows_of_time_like_polars(rows in rows(40), partitions in 1usize..8, days in 1i64..9000) {
        let whole = frame(&rows).lazy().filter(col("d").is_not_null()).sort(["d"], SortMultipleOptions::default()).collect().unwrap();
        let window = format!("{days}d");
        let options = RollingOptionsDynamicWindow {
            window_size: Duration::parse(&window),
            min_periods: 1,
            closed_window: ClosedWindow::Right,
            fn_params: None,
        };
        let rolled = ["n", "i"].map(|name| col(name).rolling_sum_by(col("d"), options.clone()));
        let expected = whole.clone().lazy().select([col("d")].into_iter().chain(rolled).collect::<Vec<_>>()).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).rolling_by("d", &window).select(["n", "i"]).sum();
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, true, &name);
        }
    }
}
