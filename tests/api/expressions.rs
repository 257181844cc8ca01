//! Everything that polars' expressions can say, in partitions: what looks at one row gives what polars gives of the whole, on every executor,
//! the cluster too; what looks at other rows does so across partitions, or is refused, and is never computed of a partition alone.

use super::check::{assert_close, executors, failure, table};
use partita::polars::lazy::dsl::{business_day_count, mean_horizontal, sum_horizontal};
use partita::polars::prelude::*;
use partita::polars::series::ops::NullBehavior;
use partita::{Code, DFrame, Join};
use polars_arrow::legacy::kernels::NonExistent;

/// Columns of many types with nulls; five partitions have two rows each, one of them one.
fn values() -> DataFrame {
    let text =
        [Some("alpha 1"), Some("Beta-22"), None, Some(""), Some("g\u{e4}mma"), Some("a,b,c"), Some("1f"), Some("{\"a\": 5}"), Some("MmI=")];
    let plain = df!(
        "i" => [Some(3i64), Some(-1), Some(7), None, Some(3), Some(0), Some(12), Some(5), Some(-4)],
        "n" => [1u8, 2, 3, 0, 2, 1, 3, 1, 2],
        "f" => [Some(0.5), Some(1.0), Some(2.25), None, Some(0.5), Some(4.0), Some(0.125), Some(3.5), Some(1.0)],
        "s" => text,
        "day" => ["2024-01-31", "2024-02-29", "2023-12-25", "2024-03-01", "2024-05-05", "2024-01-31", "1969-07-20", "2024-02-10", "2024-12-01"],
        "d" => [Some(19_753i32), Some(19_782), None, Some(19_783), Some(19_848), Some(19_753), Some(-165), Some(19_763), Some(20_058)],
        "t" => [Some(1_706_700_000_123_456i64), None, Some(-1), Some(0), Some(1_711_846_800_000_000), Some(1), Some(2), Some(3), Some(4)]
    );
    let wide = col("n").cast(DataType::Int64);
    let lists = when(col("n").gt(lit(0))).then(concat_list([col("i"), wide.clone(), lit(2i64)]).unwrap()).otherwise(lit(NULL));
    let made = plain.unwrap().lazy().with_columns([
        col("d").cast(DataType::Date),
        col("t").cast(DataType::Datetime(TimeUnit::Microseconds, None)),
        lists.alias("l"),
        concat_arr(vec![col("i"), wide, lit(2).cast(DataType::Int64)]).unwrap().alias("a"),
        col("s").cast(DataType::from_categories(Categories::global())).alias("c"),
        col("s").cast(DataType::Binary).alias("b"),
        as_struct(vec![col("i").alias("x"), col("s").alias("y")]).alias("st"),
    ]);
    made.collect().expect("the types exist")
}

/// What an operation gives in 1, 2 and 5 partitions, on every executor without an exception.
fn everywhere(case: &str, operation: impl Fn(&DFrame) -> DFrame, expected: &DataFrame, in_order: bool) {
    for partitions in [1, 2, 5] {
        let frame = operation(&DFrame::from_polars(values(), partitions));
        for (name, executor) in executors() {
            let case = format!("{case}, {name}, {partitions} partitions");
            let found = frame.compute_on(&*executor).unwrap_or_else(|e| panic!("{case}: {e}")).frame;
            assert_close(&found, expected, in_order, &case);
        }
    }
}

/// Each under a name of its own, beside a column, as polars gives them of the whole.
fn like_polars(case: &str, exprs: Vec<Expr>) {
    let named = exprs.into_iter().enumerate().map(|(at, expr)| expr.alias(format!("{at}")));
    let exprs: Vec<Expr> = [col("n")].into_iter().chain(named).collect();
    let expected = values().lazy().select(&exprs).collect().unwrap_or_else(|e| panic!("{case}: polars: {e}"));
    everywhere(case, |frame| frame.select(exprs.clone()), &expected, true);
}

/// Values that are known, as an expression.
macro_rules! known {
    ($values:expr) => {
        lit(Series::new("".into(), $values))
    };
}

fn zone(name: &'static str) -> TimeZone {
    TimeZone::opt_try_new(Some(name)).unwrap().unwrap()
}

#[test]
fn numbers() {
    let (i, f) = (|| col("i"), || col("f"));
    like_polars(
        "functions",
        vec![
            f().log(lit(2.0)),
            f().log1p(),
            f().exp(),
            f().sqrt(),
            f().cbrt(),
            f().sign(),
            i().abs(),
            f().round(1, RoundMode::HalfToEven),
            f().floor(),
        ],
    );
    like_polars(
        "trigonometry",
        vec![
            f().sin(),
            f().cos(),
            f().tan(),
            f().arctan(),
            f().sinh(),
            f().tanh(),
            f().arctan2(col("n").cast(DataType::Float64)),
            f().degrees(),
        ],
    );
    like_polars(
        "choices",
        vec![
            i().replace(known!([3i64, 7]), known!([30i64, 70])),
            i().replace_strict(known!([3i64, 7]), known!(["three", "seven"]), Some(lit("other")), None::<DataType>),
            i().is_in(known!([3i64, 0]), false),
            i().is_in(known!([3i64, 0]).implode(true), false),
            f().is_close(lit(0.5), 0.01, 0.0, false),
            f().cut(vec![0.5, 2.0], Some(["low", "middle", "high"]), false, false),
            f().clip(lit(0.5), lit(2.0)),
            i().fill_null(f().cast(DataType::Int64)),
            coalesce(&[i(), col("n").cast(DataType::Int64)]),
            i() + known!([1i64, 2]).sum(),
        ],
    );
    like_polars(
        "bits and ranges",
        vec![
            i().bitwise_count_ones(),
            i().bitwise_leading_zeros(),
            i().reinterpret(Some(false), None),
            i().hash(1, 2, 3, 4),
            col("s").hash(1, 2, 3, 4),
            i().repeat_by(col("n")),
            int_ranges(lit(0), col("n"), lit(1), DataType::Int64),
            i().to_physical(),
            sum_horizontal([i(), col("n").cast(DataType::Int64)], true).unwrap(),
            mean_horizontal([i(), f()], true).unwrap(),
        ],
    );
}

#[test]
fn text() {
    let s = || col("s");
    like_polars(
        "forms",
        vec![
            s().str().pad_start(lit(10), '*'),
            s().str().pad_end(lit(10), '*'),
            s().str().zfill(lit(9)),
            s().str().reverse(),
            s().str().to_integer(lit(16), None, false),
            s().str().hex_encode(),
            s().str().base64_encode(),
            s().str().base64_decode(false),
            s().str().normalize(UnicodeForm::NFD).str().len_chars(),
            s().str().to_uppercase(),
            s().str().strip_suffix(lit("22")),
            s().str().escape_regex(),
        ],
    );
    like_polars(
        "parts",
        vec![
            s().str().extract_groups(r"([a-z]+)\W?(\d+)").unwrap(),
            s().str().extract_all(lit("[a-z]")),
            s().str().json_path_match(lit("$.a")),
            s().str().split(lit(",")),
            s().str().split_exact(lit(","), 2),
            s().str().splitn(lit(","), 2),
            s().str().split(lit(",")).list().join(lit("-"), true),
            s().str().head(lit(2)),
            s().str().slice(lit(1), lit(3)),
            s().str().count_matches(lit("[a-c]"), false),
            s().str().find(lit("[0-9]"), true),
        ],
    );
    like_polars(
        "patterns",
        vec![
            s().str().contains_any(known!(["alpha", "22"]), false),
            s().str().contains_any(known!(["alpha", "22"]).implode(true), false),
            s().str().extract_many(known!(["a", "b"]), false, false, false),
            s().str().find_many(known!(["a", "b"]), false, false, false),
            s().str().replace_many(known!(["a", "b"]), known!(["1", "2"]), false, false),
            s().str().replace_all(lit("[0-9]"), lit("#"), false),
            s().str().starts_with(lit("a")),
            concat_str([s(), col("day")], "/", true),
            format_str("{}: {}", &[s(), col("n")]).unwrap(),
        ],
    );
    let format = |format: &str| StrptimeOptions { format: Some(format.into()), ..Default::default() };
    like_polars(
        "dates",
        vec![
            col("day").str().to_date(format("%Y-%m-%d")),
            (col("day") + lit(" 10:30")).str().to_datetime(Some(TimeUnit::Milliseconds), None, format("%Y-%m-%d %H:%M"), lit("raise")),
            col("f").cast(DataType::String).str().to_decimal(3),
        ],
    );
}

#[test]
fn times() {
    let (d, t) = (|| col("d"), || col("t"));
    let utc = || t().dt().replace_time_zone(Some(TimeZone::UTC), lit("raise"), NonExistent::Raise);
    let berlin = || utc().dt().convert_time_zone(zone("Europe/Berlin"));
    like_polars(
        "zones",
        vec![
            utc(),
            berlin(),
            berlin().dt().hour(),
            berlin().dt().base_utc_offset(),
            berlin().dt().dst_offset(),
            berlin().dt().truncate(lit("1d")),
            berlin().dt().replace_time_zone(None, lit("raise"), NonExistent::Raise),
            t().dt().replace_time_zone(Some(zone("America/New_York")), lit("earliest"), NonExistent::Null),
        ],
    );
    let week = [true, true, true, true, true, false, false];
    let holidays = || lit(Series::new("".into(), [19_783i32]).cast(&DataType::Date).unwrap());
    like_polars(
        "calendar",
        vec![
            d().dt().month_start(),
            d().dt().month_end(),
            d().dt().offset_by(lit("1mo")),
            d().dt().is_business_day(week, holidays()),
            d().dt().add_business_days(lit(2), week, holidays(), Roll::Forward),
            business_day_count(d(), lit(19_900i32).cast(DataType::Date), week, holidays()),
            d().dt().iso_year(),
            t().dt().round(lit("1h")),
            t().dt().timestamp(TimeUnit::Milliseconds),
            t().dt().strftime("%d.%m.%Y"),
            d().dt().combine(lit(3_600_000_000_000i64).cast(DataType::Time), TimeUnit::Microseconds),
            (t() - t().dt().truncate(lit("1d"))).dt().total_minutes(false),
        ],
    );
}

#[test]
fn lists_and_arrays() {
    let (l, a) = (|| col("l").list(), || col("a").arr());
    let ranks = RankOptions { method: RankMethod::Ordinal, descending: false };
    like_polars(
        "lists",
        vec![
            l().sample_n(lit(2), false, Some(false), Some(7)),
            l().gather(known!([0i64, 1]), true),
            l().gather(known!([0i64]).implode(true), true),
            l().drop_nulls(),
            l().count_matches(lit(2i64)),
            l().union(known!([2i64, 9]).implode(true)),
            l().set_difference(concat_list([col("i")]).unwrap()),
            l().eval(element().rank(ranks, None)),
            l().eval(element().cum_sum(false)),
            l().agg(element().max()),
            l().diff(1, NullBehavior::Ignore),
            l().shift(lit(1)),
            l().to_array(3),
            l().to_struct(std::sync::Arc::from(["x", "y", "z"].map(PlSmallStr::from))),
            l().contains(col("i"), false),
            l().sort(SortOptions::default()),
            l().get(lit(1), true),
            l().median(),
        ],
    );
    like_polars(
        "arrays",
        vec![
            a().len(),
            a().sum(),
            a().min(),
            a().max(),
            a().mean(),
            a().std(1),
            a().sort(SortOptions::default()),
            a().get(lit(0), true),
            a().contains(lit(2i64), false),
            a().count_matches(lit(2i64)),
            a().to_struct(None),
            a().shift(lit(1)),
            a().eval(element() + lit(1i64), false),
            a().arg_max(),
            a().to_list(),
            a().slice(lit(1), lit(2), true).unwrap(),
            col("a") + col("a"),
        ],
    );
    let (st, c, b) = (|| col("st").struct_(), || col("c"), || col("b").binary());
    like_polars(
        "structs, categories and bytes",
        vec![
            st().field_by_name("y"),
            st().rename_fields(["p", "q"]),
            st().with_fields(vec![(col("i") + lit(1)).alias("z")]),
            c().cat().len_chars(),
            c().cat().starts_with("a".into()),
            c().cat().slice(1, Some(2)),
            c().cast(DataType::String),
            b().size_bytes(),
            b().contains_literal(lit(b"a".as_slice())),
            b().hex_encode(),
            b().head(lit(2)),
        ],
    );
}

/// What looks at other rows and is made across partitions.
#[test]
fn other_rows() {
    let i = || col("i");
    like_polars("neighbours", vec![i().pct_change(lit(1)), col("f").pct_change(lit(-2)), i().peak_max(), i().peak_min()]);
    like_polars(
        "equal values",
        vec![
            i().is_unique(),
            i().is_duplicated(),
            i().is_first_distinct(),
            i().is_last_distinct(),
            col("s").is_unique(),
            col("f").is_first_distinct(),
            col("c").is_unique(),
            col("d").is_duplicated(),
            as_struct(vec![i(), col("n")]).is_unique(),
            i().is_unique().and(col("n").is_first_distinct()),
        ],
    );
    let pairs = RollingCovOptions { window_size: 3, min_periods: 2, ddof: 1 };
    like_polars(
        "one inside the other",
        vec![
            rolling_corr(col("n").cast(DataType::Float64), i().fill_null(lit(0)).cast(DataType::Float64), pairs),
            rolling_cov(col("n").cast(DataType::Float64).shift_and_fill(lit(1), lit(0.0)), col("n").cast(DataType::Float64), pairs),
            i().shift(lit(1)).is_unique(),
            i().is_first_distinct().cum_sum(false),
            i().cum_sum(false).pct_change(lit(1)),
            i().is_duplicated().shift(lit(2)),
        ],
    );
    let ranks = RankOptions { method: RankMethod::Average, descending: true };
    let within = |expr: Expr| expr.over([col("n")]).unwrap();
    like_polars(
        "within groups",
        vec![
            within(i().rank(ranks, None)),
            within(i().interpolate(InterpolationMethod::Linear)),
            within(col("f").ewm_mean(EWMOptions::default())),
            within(i().reverse()),
            within(i().rle_id()),
            within(i().sort(SortOptions::default()).shift(lit(1))),
            within(i().mode(true).first()),
            within(i().skew(true)),
        ],
    );
    let by_time = |descending: bool| Some(([col("t")], SortOptions { descending, ..SortOptions::default() }));
    let ordered = |expr: Expr, descending| expr.over_with_options(None, by_time(descending), WindowMapping::GroupsToRows).unwrap();
    let both = |expr: Expr| expr.over_with_options(Some([col("n")]), by_time(false), WindowMapping::GroupsToRows).unwrap();
    like_polars(
        "in the order of another column",
        vec![
            ordered(i().cum_sum(false), false),
            ordered(i().shift(lit(1)), true),
            ordered(col("s").last(), false),
            ordered(i().cum_sum(false), false) + within(i().sum()),
            both(i().cum_sum(false)),
            both(col("f").shift(lit(1))),
            i().max().over([lit(1)]).unwrap(),
        ],
    );
}

#[test]
fn an_order_over_all_rows_is_told() {
    let running = col("i").cum_sum(false);
    let running = running.over_with_options(None, Some(([col("t")], SortOptions::default())), WindowMapping::GroupsToRows).unwrap();
    let client = partita::Client::builder().threads(1).set_as_default(false).build().unwrap();
    let notes = |partitions| client.run(&DFrame::from_polars(values(), partitions).select([running.clone()])).unwrap().notes;
    assert!(notes(3).iter().any(|note| note.contains("all rows")) && notes(1).is_empty(), "{:?}", notes(3));
}

/// What looks at other rows and is not made across partitions, as columns.
fn refused() -> Vec<Expr> {
    let (i, f, s) = (|| col("i"), || col("f"), || col("s"));
    let ranks = RankOptions::default();
    let sorted = SortOptions::default;
    vec![
        i().rank(ranks, None),
        i().rank(RankOptions { method: RankMethod::Random, descending: false }, Some(1)),
        i().interpolate(InterpolationMethod::Linear),
        i().interpolate_by(col("n")),
        f().ewm_mean(EWMOptions::default()),
        f().ewm_std(EWMOptions::default()),
        f().ewm_sum(EWMOptions::default()),
        f().ewm_mean_by(col("t"), Duration::parse("1d")),
        i().rle_id(),
        i().rle(),
        i().mode(true),
        i().unique(),
        i().unique_stable(),
        i().unique_counts(),
        s().value_counts(true, false, "count", false),
        i().arg_sort(false, true),
        i().arg_unique(),
        i().arg_max(),
        i().sort(sorted()),
        i().sort_by([f()], SortMultipleOptions::default()),
        i().reverse(),
        i().shuffle(Some(1)),
        i().sample_n(lit(9), true, None, Some(1)),
        i().sample_frac(lit(1.0), true, None, Some(1)),
        i().top_k(lit(3)),
        i().bottom_k(lit(3)),
        i().cumulative_eval(element().max(), 1),
        i().search_sorted(lit(3), SearchSortedSide::Any, false),
        known!([1i64, 5]).search_sorted(i(), SearchSortedSide::Any, false),
        i().index_of(lit(3)),
        f().entropy(2.0, true),
        f().skew(true),
        f().kurtosis(true, true),
        i().approx_n_unique(),
        i().bitwise_and(),
        f().qcut(vec![0.5], None::<Vec<PlSmallStr>>, false, true, false),
        i().reshape(&[9, 1]),
        i().gather_every(2, 0),
        i().gather(lit(0), true),
        i().slice(lit(0), lit(3)),
        i().head(Some(3)),
        i().filter(i().gt(lit(0))),
        i().drop_nulls(),
        col("l").explode(ExplodeOptions { empty_as_null: true, keep_nulls: true }),
        col("a").arr().explode(ExplodeOptions { empty_as_null: true, keep_nulls: true }),
        len(),
        i().null_count(),
        i().sum(),
        i() - i().mean(),
        i().first(),
        i().implode(true),
        i().quantile(lit(0.5), QuantileMethod::Linear),
        i().product(),
        pearson_corr(i(), f()),
        cov(i(), f(), 1),
        i().fill_null_with_strategy(FillNullStrategy::Mean),
        i().extend_constant(lit(1), lit(1)),
        i().append(i(), false),
        i().diff(lit(1), NullBehavior::Drop),
        i().shift(col("n").first()),
        int_range(lit(0), len(), 1, DataType::Int64),
        arg_where(i().gt(lit(0))),
        s().str().join(",", true),
        col("c").cat().get_categories(),
        known!([1i64, 2, 3, 4, 5, 6, 7, 8, 9]) + i(),
        col("day").str().to_date(StrptimeOptions::default()),
        // A column stands for all its values here.
        i().is_in(col("n").cast(DataType::Int64), false),
        i().is_in(col("n").cast(DataType::Int64).implode(true), false),
        col("l").is_in(col("l"), false),
        col("l").list().gather(col("n"), true),
        s().str().contains_any(s(), false),
        s().str().contains_any(s().str().split(lit(",")), false),
        s().str().extract_many(s(), false, false, false),
        s().str().replace_many(s(), known!(["a"]), false, false),
        s().str().replace_many(s().str().split(lit(",")), known!(["a"]), false, false),
        i().replace(i(), col("n").cast(DataType::Int64)),
        i().replace(known!([3i64]), i().max()),
        i().replace_strict(i(), col("n"), None, None::<DataType>),
        // What is made across partitions, of what is not.
        i().sort(sorted()).shift(lit(1)),
        i().reverse().cum_sum(false),
        i().rank(ranks, None).diff(lit(1), NullBehavior::Ignore),
        i().interpolate(InterpolationMethod::Linear).pct_change(lit(1)),
        i().reverse().is_first_distinct(),
        i().reverse().fill_null_with_strategy(FillNullStrategy::Forward(None)),
        i().reverse().peak_max(),
        rolling_corr(f(), f().reverse(), RollingCovOptions { window_size: 3, min_periods: 2, ddof: 1 }),
        (i().shift(lit(1)) + i().reverse()).cum_max(false),
        i().reverse().rolling_sum(RollingOptionsFixedWindow { window_size: 2, min_periods: 1, ..Default::default() }),
    ]
}

#[test]
fn what_needs_other_rows_is_refused() {
    for partitions in [1, 5] {
        let frame = DFrame::from_polars(values(), partitions);
        let other = DFrame::from_polars(df!("j" => [1i64, 2]).unwrap(), 1);
        for expr in refused() {
            let shown = format!("{expr}");
            for (method, made) in [
                (".with_columns(…)", frame.with_columns([expr.clone().alias("made")])),
                (".select(…)", frame.select([col("i"), expr.clone().alias("made")])),
                (".filter(…)", frame.filter(expr.clone().alias("made").is_not_null())),
                (".group_by(…)", frame.group_by([expr.clone().alias("made")]).len()),
                (".sort(…)", frame.sort([expr.clone().alias("made")])),
                (".join(…)", frame.join(&other, Join::inner([expr.clone().alias("made")]).right_on(["j"]))),
            ] {
                let found = made.schema().err().unwrap_or_else(|| panic!("{method} of `{shown}` is not refused"));
                assert_eq!(found.code, Code::Unsupported, "{method} of `{shown}`: {found}");
            }
        }
    }
    let frame = DFrame::from_polars(values(), 2);
    let told = |made: DFrame, words: &[&str]| {
        let text = failure(&made, Code::Unsupported);
        assert!(words.iter().all(|word| text.contains(word)), "{words:?} are not in\n{text}");
    };
    told(frame.with_columns([col("day").str().to_date(StrptimeOptions::default())]), &["expressions.rs:", "format: Some("]);
    told(frame.filter(col("i").is_in(col("n").cast(DataType::Int64), false)), &["more than one row", ".is_in(&other"]);
    told(frame.select([col("i").rank(RankOptions::default(), None)]), &["with_row_index", ".over("]);
    told(frame.select([col("i").reverse()]), &[".map_partitions(…)"]);
}

/// What would differ from run to run, or from process to process, also where all rows of a group are at hand.
#[test]
fn what_is_not_the_same_twice_is_refused() {
    let frame = DFrame::from_polars(values(), 2);
    let random = RankOptions { method: RankMethod::Random, descending: false };
    let categories = DataType::from_categories(Categories::global());
    for (expr, fix) in [
        (col("i").shuffle(None), "Some(1)"),
        (col("i").sample_n(lit(1), false, None, None), "Some(1)"),
        (col("i").rank(random, None), "Some(1)"),
        (col("l").list().sample_n(lit(1), false, None, None), "Some(1)"),
        (col("c").to_physical(), "DataType::String"),
        (col("c").cat().physical(), "DataType::String"),
        (col("c").hash(1, 2, 3, 4), "DataType::String"),
        (col("c").cast(DataType::UInt32), "DataType::String"),
        (as_struct(vec![col("c")]).to_physical(), "DataType::String"),
        (col("n").cast(DataType::UInt32).cast(categories), "DataType::String"),
    ] {
        for made in [
            frame.select([expr.clone()]),
            frame.group_by(["n"]).agg([expr.clone().first()]),
            frame.agg([expr.clone().last()]),
            frame.with_columns([expr.clone().first().over([col("n")]).unwrap().alias("made")]),
        ] {
            let found = made.schema().expect_err("different each time");
            assert!(found.code == Code::Unsupported && found.to_string().contains(fix), "{expr}: {found}");
        }
    }
    assert_eq!(frame.cast([("c", DataType::UInt32)]).schema().unwrap_err().code, Code::Unsupported);
    // An Enum has the same codes everywhere.
    let sizes = DataType::from_frozen_categories(FrozenCategories::new(["small", "large"]).unwrap());
    let sized = |frame: DFrame| {
        frame.with_columns([when(col("i").gt(lit(3))).then(lit("large")).otherwise(lit("small")).cast(sizes.clone()).alias("e")])
    };
    let codes = [col("e").to_physical().alias("p"), col("e").cast(DataType::UInt8).alias("u")];
    let of_whole = when(col("i").gt(lit(3))).then(lit("large")).otherwise(lit("small")).cast(sizes.clone()).alias("e");
    let expected = values().lazy().with_columns([of_whole]).select(codes.clone()).collect().unwrap();
    everywhere("codes of an Enum", |frame| sized(frame.clone()).select(codes.clone()), &expected, true);
}

/// Aggregates that need all rows of a group.
#[test]
fn aggregates() {
    let (i, f) = (|| col("i"), || col("f"));
    let aggs = vec![
        i().mode(true).first().alias("mode"),
        f().skew(true).alias("skew"),
        f().kurtosis(true, true).alias("kurtosis"),
        f().entropy(2.0, true).alias("entropy"),
        pearson_corr(i(), f()).alias("corr"),
        i().rank(RankOptions::default(), None).max().alias("rank"),
        i().interpolate(InterpolationMethod::Linear).sum().alias("interpolated"),
        f().ewm_mean(EWMOptions::default()).last().alias("ewm"),
        i().approx_n_unique().alias("approx"),
        i().unique_counts().max().alias("unique_counts"),
        i().rle_id().max().alias("runs"),
        i().top_k(lit(2)).sum().alias("top"),
        i().index_of(lit(3)).alias("index"),
        i().bitwise_or().alias("or"),
        i().arg_max().alias("arg_max"),
        i().is_unique().sum().alias("alone"),
        col("s").str().join("+", true).alias("joined"),
        (i().sum() + known!([1i64, 2]).max()).alias("known"),
        i().replace(known!([3i64]), known!([4i64])).sum().alias("replaced"),
    ];
    let grouped = values().lazy().group_by([col("n")]).agg(&aggs).collect().unwrap();
    everywhere("groups", |frame| frame.group_by(["n"]).agg(aggs.clone()), &grouped, false);
    let whole = values().lazy().select(&aggs).collect().unwrap();
    everywhere("whole", |frame| frame.agg(aggs.clone()), &whole, true);
}

/// A guess from the first value of a partition is no row's own: the first partition has one format, the second another.
#[test]
fn formats_are_given() {
    let frame = DFrame::from_polars(table("day\n2024-01-31\n2024-02-01\n31.01.2024\n01.02.2024"), 2);
    failure(&frame.select([col("day").str().to_date(StrptimeOptions::default())]), Code::Unsupported);
}
