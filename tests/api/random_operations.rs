//! Operations that had tables written out only, on random frames: against polars on the whole, or against loops over its rows.

use std::collections::BTreeMap;

use super::check::{assert_close, executors};
use super::random_frames::{frame, rows};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, Join, JoinValidation, QuantileMethod, col, len, lit};
use proptest::option;
use proptest::prelude::{Just, ProptestConfig, prop_assume, prop_oneof, proptest};

/// On one thread and on several; what the other executors may do differently is not of these operations.
fn check(case: &str, ours: &DFrame, expected: &DataFrame, in_order: bool) {
    for (name, executor) in executors().into_iter().take(3) {
        let found = ours.compute_on(&*executor).unwrap_or_else(|e| panic!("{case}, {name}: {e}")).frame;
        assert_close(&found, expected, in_order, &format!("{case}, {name}"));
    }
}

/// The values of a column as texts, nulls as none.
fn texts(frame: &DataFrame, name: &str) -> Vec<Option<String>> {
    let column = frame.column(name).unwrap();
    let text = |row: usize| match column.get(row).unwrap() {
        AnyValue::Null => None,
        AnyValue::Float64(x) if x.is_nan() => Some("NaN".to_string()),
        AnyValue::Float64(x) => Some((x + 0.0).to_string()),
        value => Some(value.to_string()),
    };
    (0..column.len()).map(text).collect()
}

fn numbers(frame: &DataFrame, name: &str) -> Vec<Option<f64>> {
    frame.column(name).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().iter().collect()
}

fn counts_first(keys: usize) -> SortMultipleOptions {
    let descending = std::iter::once(true).chain(std::iter::repeat_n(false, keys));
    SortMultipleOptions::default().with_order_descending_multi(descending).with_nulls_last(true)
}

const SIZES: [&str; 6] = ["nobody", "a text of more than twelve bytes", "a", "ab, c", "", "ü\"\n"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn windows_of_days_like_floors(rows in rows(40), partitions in 1usize..7, every in 1i32..4000, offset in option::of(0i32..5000), by: bool) {
        let whole = frame(&rows);
        let begin = offset.unwrap_or(0);
        let day = col("d").cast(DataType::Int32) - lit(begin);
        let window = (day.floor_div(lit(every)) * lit(every) + lit(begin)).cast(DataType::Date).alias("d");
        let keys = || if by { vec![col("b"), col("d")] } else { vec![col("d")] };
        let aggs = || [col("n").sum(), col("i").first().alias("first"), col("f").max(), len()];
        let expected = whole.clone().lazy().with_columns([window]).group_by(keys()).agg(aggs());
        let expected = expected.sort_by_exprs(keys(), SortMultipleOptions::default()).collect().unwrap();
        let mut windows = DFrame::from_polars(whole, partitions).resample("d", &format!("{every}d"));
        if let Some(offset) = offset {
            windows = windows.offset(&format!("{offset}d"));
        }
        if by {
            windows = windows.by(["b"]);
        }
        check("resample", &windows.agg(aggs()), &expected, true);
    }

    #[test]
    fn windows_of_the_calendar_like_polars(rows in rows(40), partitions in 1usize..7, every in prop_oneof![Just("1w"), Just("1mo"), Just("3mo"), Just("1y")]) {
        let whole = frame(&rows);
        let window = col("d").dt().truncate(lit(every));
        let expected = whole.clone().lazy().with_columns([window]).group_by([col("d")]).agg([col("i").sum(), col("t").n_unique()]);
        let expected = expected.sort(["d"], SortMultipleOptions::default()).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).resample("d", every).agg([col("i").sum(), col("t").n_unique()]);
        check("resample", &ours, &expected, true);
    }

    /// Windows that overlap, touch or leave gaps, with any of their ends, named after either; polars takes sorted rows, and no nulls among times.
    #[test]
    fn windows_of_any_length_like_polars(
        rows in rows(40), partitions in 1usize..5, offset in 0i32..20, right: bool,
        every in prop_oneof![Just("5d"), Just("1w"), Just("1mo"), Just("3mo")],
        period in prop_oneof![Just("2d"), Just("5d"), Just("12d"), Just("1w"), Just("1mo"), Just("40d"), Just("5mo")],
        closed in prop_oneof![Just(ClosedWindow::Left), Just(ClosedWindow::Right), Just(ClosedWindow::Both), Just(ClosedWindow::None)],
    ) {
        let whole = frame(&rows);
        let times = whole.clone().lazy().filter(col("d").is_not_null()).sort(["d"], SortMultipleOptions::default()).collect().unwrap();
        prop_assume!(times.height() > 0);
        let length = |text: &str| Duration::try_parse(text).unwrap();
        let label = if right { Label::Right } else { Label::Left };
        let options = DynamicGroupOptions {
            index_column: "d".into(),
            every: length(every),
            period: length(period),
            offset: length(&format!("{offset}d")),
            label,
            include_boundaries: true,
            closed_window: closed,
            start_by: StartBy::WindowBound,
        };
        let (windows, ends, groups) = times.group_by_dynamic(None, &options).unwrap();
        let numbers: Vec<u32> = times.column("i").unwrap().u32().unwrap().iter().flatten().collect();
        let groups: Vec<&[u32]> = groups.iter().map(|group| &numbers[group.first() as usize..][..group.len()]).collect();
        let mut columns: Vec<Column> = ends.iter().chain([&windows]).map(|times| times.cast(&DataType::Date).unwrap()).collect();
        columns.push(Column::new("i".into(), groups.iter().map(|group| group.iter().sum()).collect::<Vec<u32>>()));
        columns.push(Column::new("len".into(), groups.iter().map(|group| group.len() as u32).collect::<Vec<u32>>()));
        let expected = DataFrame::new(groups.len(), columns).unwrap().lazy().filter(col("len").gt(lit(0u32))).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).resample("d", every).period(period).offset(&format!("{offset}d"));
        let ours = ours.closed(closed).label(label).include_boundaries(true).agg([col("i").sum(), len()]);
        // Where no window is asked for but those side by side, rows without a time have one of their own. Polars leaves out windows with rows in
        // them that begin before the one of the first row; where it finds none at all there is nothing to compare with.
        let first = ends.first().and_then(|begin| begin.cast(&DataType::Date).ok()?.cast(&DataType::Int32).ok()?.i32().ok()?.iter().next()?);
        let seen = col("_lower_boundary").gt_eq(lit(first.unwrap_or(i32::MAX)).cast(DataType::Date));
        check("resample", &ours.filter(seen), &expected, true);
    }

    /// The values of `on` are looked for too.
    #[test]
    fn values_as_columns_like_a_loop(rows in rows(40), partitions in 1usize..7) {
        // Without rows there are no values that could be columns.
        prop_assume!(!rows.is_empty());
        let whole = frame(&rows);
        let mut sums: BTreeMap<(Option<String>, Option<i64>), u32> = BTreeMap::new();
        let on: Vec<Option<i64>> = whole.column("n").unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().to_vec();
        let index = texts(&whole, "b");
        for row in 0..whole.height() {
            *sums.entry((index[row].clone(), on[row])).or_default() += row as u32;
        }
        let mut known = on.clone();
        known.sort_unstable();
        known.dedup();
        let mut keys = index.clone();
        keys.sort_unstable();
        keys.dedup();
        let truth = |key: &Option<String>| key.as_ref().map(|key| key == "true");
        let mut columns = vec![Column::new("b".into(), keys.iter().map(truth).collect::<Vec<_>>())];
        columns.extend(known.iter().map(|value| {
            let name = value.map_or("null".to_string(), |value| value.to_string());
            let of = keys.iter().map(|key| sums.get(&(key.clone(), *value)).copied()).collect::<Vec<_>>();
            Column::new(name.into(), of)
        }));
        let expected = DataFrame::new(keys.len(), columns).unwrap();
        let wide = DFrame::from_polars(whole, partitions).pivot(["b"], "n", "i", |i| i.sum()).unwrap();
        check("pivot", &wide, &expected, false);
    }

    #[test]
    fn counts_and_most_frequent_values_like_polars(rows in rows(40), partitions in 1usize..7, which in 0usize..4) {
        let whole = frame(&rows);
        let keys: &[&str] = [&["t"][..], &["k"], &["t", "b"], &["d"]][which];
        let columns = || keys.iter().map(|key| col(*key)).collect::<Vec<_>>();
        let order = [col("count")].into_iter().chain(columns()).collect::<Vec<_>>();
        let counts = whole.clone().lazy().group_by(columns()).agg([len().alias("count")]).sort_by_exprs(order, counts_first(keys.len()));
        let ours = DFrame::from_polars(whole.clone(), partitions);
        check("value_counts", &ours.value_counts(keys), &counts.collect().unwrap(), true);
        let counts = whole.lazy().filter(col(keys[0]).is_not_null()).group_by([col(keys[0])]).agg([len().alias("count")]);
        let most = counts.filter(col("count").eq(col("count").max())).select([col(keys[0])]).sort([keys[0]], SortMultipleOptions::default());
        check("mode", &ours.mode(keys[0]), &most.collect().unwrap(), true);
    }

    #[test]
    fn descriptions_like_polars(rows in rows(40), partitions in 1usize..7) {
        let whole = frame(&rows).select(["n", "f", "i"]).unwrap();
        let of = |name: &str| {
            let x = || col(name);
            let quantile = |q: f64| x().quantile(lit(q), QuantileMethod::Linear);
            let all = [x().count(), x().null_count(), x().mean(), x().std(1), x().min(), quantile(0.25), quantile(0.5), quantile(0.75), x().max()];
            let all = all.into_iter().enumerate().map(|(at, value)| value.cast(DataType::Float64).alias(at.to_string()));
            let row = whole.clone().lazy().select(all.collect::<Vec<_>>()).collect().unwrap();
            let values = row.columns().iter().map(|column| column.f64().unwrap().get(0)).collect::<Vec<_>>();
            Column::new(name.into(), values)
        };
        let names = ["count", "null_count", "mean", "std", "min", "25%", "50%", "75%", "max"];
        let columns = vec![Column::new("statistic".into(), names), of("n"), of("f"), of("i")];
        let expected = DataFrame::new(names.len(), columns).unwrap();
        check("describe", &DFrame::from_polars(whole, partitions).describe(), &expected, true);
    }

    #[test]
    fn pairs_of_columns_like_a_loop(rows in rows(40), partitions in 1usize..7) {
        let whole = frame(&rows).select(["n", "f", "i"]).unwrap();
        // Count, both sums of squares and the sum of products, of the rows that have both.
        let moments = |x: &str, y: &str| {
            let pairs: Vec<(f64, f64)> = numbers(&whole, x).into_iter().zip(numbers(&whole, y)).filter_map(|(x, y)| x.zip(y)).collect();
            let n = pairs.len() as f64;
            let (mx, my) = (pairs.iter().map(|pair| pair.0).sum::<f64>() / n, pairs.iter().map(|pair| pair.1).sum::<f64>() / n);
            let sum = |of: fn(f64, f64) -> f64| pairs.iter().map(|(x, y)| of(x - mx, y - my)).sum::<f64>();
            (n, sum(|x, _| x * x), sum(|_, y| y * y), sum(|x, y| x * y))
        };
        let frame = DFrame::from_polars(whole.clone(), partitions);
        for (name, executor) in executors().into_iter().take(3) {
            let (cov, corr) = (frame.cov().compute_on(&*executor).unwrap().frame, frame.corr().compute_on(&*executor).unwrap().frame);
            for (row, x) in ["n", "f", "i"].into_iter().enumerate() {
                for y in ["n", "f", "i"] {
                    let found = (numbers(&cov, y)[row], numbers(&corr, y)[row]);
                    let case = format!("{x} and {y}, {name}: {found:?}\n{whole}");
                    let (n, xx, yy, xy) = moments(x, y);
                    if n < 2.0 {
                        assert_eq!(found, (None, None), "{case}");
                        continue;
                    }
                    let (cov, corr) = (found.0.expect("two rows"), found.1.expect("two rows"));
                    // What cancels is as exact as what it is made of.
                    let scale = (xx * yy).sqrt() / (n - 1.0);
                    assert!((cov.is_nan() && xy.is_nan()) || (cov - xy / (n - 1.0)).abs() <= 1e-9 * scale, "{case}");
                    let expected = xy / (xx * yy).sqrt();
                    assert!((corr.is_nan() && expected.is_nan()) || (corr - expected).abs() <= 1e-9, "{case}");
                }
            }
        }
    }

    #[test]
    fn values_in_another_frame_like_a_loop(left in rows(30), right in rows(12), cut in 1usize..6, other_cut in 1usize..4, which in 0usize..4) {
        let (left, right) = (frame(&left), frame(&right));
        let keys: &[&str] = [&["k"][..], &["f"], &["t", "b"], &["d"]][which];
        let values = |frame: &DataFrame| -> Vec<Option<Vec<String>>> {
            let columns: Vec<_> = keys.iter().map(|key| texts(frame, key)).collect();
            (0..frame.height()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
        };
        let others = values(&right);
        let there: Vec<Option<bool>> = values(&left).iter().map(|value| value.as_ref().map(|_| others.contains(value))).collect();
        let expected = left.hstack(&[Column::new("there".into(), there)]).unwrap();
        let other = DFrame::from_polars(right, other_cut).select(keys);
        check("is_in", &DFrame::from_polars(left, cut).is_in(keys, &other, "there"), &expected, true);
    }

    /// Lists of several lengths, empty ones and nulls among them.
    #[test]
    fn lists_as_rows_like_polars(rows in rows(40), partitions in 1usize..7, both: bool) {
        let odd = || (col("i") % lit(2)).eq(lit(1));
        let aggs = [col("i").filter(odd()).alias("odd"), col("t").filter(odd()).alias("texts"), len().alias("n")];
        let lists = frame(&rows).lazy().group_by_stable([col("k")]).agg(aggs);
        let some = |name: &str| when(col("n").eq(lit(3))).then(lit(NULL)).otherwise(col(name)).alias(name);
        let lists = lists.with_columns([some("odd"), some("texts")]).collect().unwrap();
        let columns: &[&str] = if both { &["odd", "texts"] } else { &["odd"] };
        let options = ExplodeOptions { empty_as_null: true, keep_nulls: true };
        let expected = lists.clone().lazy().explode(by_name(columns.iter().copied(), true, false), options).collect().unwrap();
        // Beside what is exploded another list stays as it is, and frames of lists cannot be compared cell by cell.
        let shown = |frame: &DataFrame| frame.select(["k", "n"].into_iter().chain(columns.iter().copied())).unwrap();
        let ours = DFrame::from_polars(lists, partitions).explode(columns.iter().copied());
        for (name, executor) in executors().into_iter().take(3) {
            let found = ours.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}")).frame;
            assert_eq!(found.schema(), expected.schema(), "{name}");
            assert_close(&shown(&found), &shown(&expected), true, &name);
        }
    }

    #[test]
    fn first_rows_of_groups_like_a_sort(rows in rows(50), partitions in 1usize..7, k in 0usize..5, by in 0usize..4, down: bool, split in option::of(2usize..4)) {
        let whole = frame(&rows);
        let by: &[&str] = [&["f"][..], &["n"], &["t", "d"], &["b"]][by];
        let options = SortMultipleOptions::default().with_order_descending(down).with_nulls_last(true).with_maintain_order(true);
        let sorted = whole.sort(by.iter().copied(), options).unwrap();
        let mut taken: BTreeMap<Option<String>, usize> = BTreeMap::new();
        let wanted = texts(&sorted, "k").into_iter().enumerate().filter_map(|(row, key)| {
            let taken = taken.entry(key).or_default();
            *taken += 1;
            (*taken <= k).then_some(row as IdxSize)
        });
        let expected = sorted.take(&IdxCa::from_vec("rows".into(), wanted.collect())).unwrap();
        let mut groups = DFrame::from_polars(whole, partitions).group_by(["k"]);
        if let Some(parts) = split {
            groups = groups.split_out(parts);
        }
        let ours = if down { groups.top_k(k, by) } else { groups.bottom_k(k, by) };
        check("first of groups", &ours, &expected, false);
    }

    #[test]
    fn categories_without_rows_like_a_loop(rows in rows(20), partitions in 1usize..6) {
        let sizes = DataType::from_frozen_categories(FrozenCategories::new(SIZES).unwrap());
        let whole = frame(&rows).lazy().with_columns([col("t").cast(sizes.clone())]).collect().unwrap();
        let (plain, n) = (frame(&rows), numbers(&whole, "n"));
        let values: Vec<Option<&str>> = plain.column("t").unwrap().str().unwrap().iter().collect();
        let mut all: Vec<Option<&str>> = SIZES.iter().map(|size| Some(*size)).collect();
        if values.contains(&None) {
            all.insert(0, None);
        }
        let of = |size: &Option<&str>| (0..values.len()).filter(|row| values[*row] == *size).collect::<Vec<_>>();
        let expected = df!(
            "t" => &all,
            "rows" => all.iter().map(|size| of(size).len() as u32).collect::<Vec<_>>(),
            "sum" => all.iter().map(|size| of(size).iter().filter_map(|row| n[*row]).sum::<f64>()).collect::<Vec<_>>(),
            "least" => all.iter().map(|size| of(size).first().map(|row| *row as u32)).collect::<Vec<_>>()
        );
        let expected = expected.unwrap().lazy().with_columns([col("t").cast(sizes), col("sum").cast(DataType::Int32)]).collect().unwrap();
        let aggs = [len().alias("rows"), col("n").sum().alias("sum"), col("i").min().alias("least")];
        let ours = DFrame::from_polars(whole, partitions).group_by(["t"]).observed(false).agg(aggs);
        check("observed", &ours, &expected, true);
    }

    /// A join fails exactly where a key is there twice on a side that may have it once.
    #[test]
    fn keys_that_must_be_unique(left in rows(7), right in rows(7), cut in 1usize..4, other_cut in 1usize..4, which in 0usize..4, broadcast: bool, left_join: bool) {
        let (left, right) = (frame(&left), frame(&right));
        let twice = |frame: &DataFrame| {
            let mut keys: Vec<String> = texts(frame, "k").into_iter().flatten().collect();
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            keys.len() < all
        };
        let (validation, fails) = match which {
            0 => (JoinValidation::ManyToMany, false),
            1 => (JoinValidation::OneToMany, twice(&left)),
            2 => (JoinValidation::ManyToOne, twice(&right)),
            _ => (JoinValidation::OneToOne, twice(&left) || twice(&right)),
        };
        let join = if left_join { Join::left(["k"]) } else { Join::inner(["k"]) };
        let join = join.suffix("_r").broadcast(broadcast);
        let (left, right) = (DFrame::from_polars(left, cut), DFrame::from_polars(right, other_cut));
        let joined = left.join(&right, join.clone().validate(validation));
        let free = left.join(&right, join).compute().unwrap();
        for (name, executor) in executors().into_iter().take(3) {
            match joined.compute_on(&*executor) {
                Err(failure) => assert!(fails && failure.code == Code::NotUnique, "{validation:?}, {name}: {failure}"),
                Ok(found) => {
                    assert!(!fails, "{validation:?}, {name}: a key is there twice\n{}", found.frame);
                    assert_close(&found.frame, &free, false, &name);
                }
            }
        }
    }
}
