//! Windows of time where clocks are put forward and back: those of polars, however rows are cut into partitions. And lengths of time that are none.

use super::check::{executors, failure};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, col, len, lit};

/// Midnights in UTC, 25 hours before clocks are put forward and back in Berlin.
const CHANGES: [i64; 2] = [1_711_756_800, 1_729_900_800];
const ENDS: [ClosedWindow; 4] = [ClosedWindow::Left, ClosedWindow::Right, ClosedWindow::Both, ClosedWindow::None];
const HOUR: i64 = 3_600_000;

fn berlin() -> DataType {
    DataType::Datetime(TimeUnit::Milliseconds, TimeZone::opt_try_new(Some("Europe/Berlin")).unwrap())
}

/// These milliseconds since the epoch as times in Berlin.
fn times(milliseconds: Vec<i64>) -> LazyFrame {
    df!("t" => milliseconds).unwrap().lazy().with_columns([col("t").cast(berlin())])
}

/// A row every 20 minutes for three days.
fn three_days(from: i64) -> DataFrame {
    let frame = times((0..216).map(|row| (from + row * 1200) * 1000).collect());
    frame.with_row_index("x", None).select([col("t"), col("x").cast(DataType::Int64)]).collect().unwrap()
}

fn numbers(column: &Column) -> Vec<i64> {
    column.cast(&DataType::Int64).unwrap().i64().unwrap().iter().flatten().collect()
}

/// Windows by their beginning and the sum of their rows, as this frame has them.
fn sums(windows: &DFrame, case: &str) -> Vec<(i64, i64)> {
    let found = windows.compute().unwrap_or_else(|failure| panic!("{case}: {failure}"));
    assert_eq!(found.column("t").unwrap().dtype(), &berlin(), "{case}");
    numbers(found.column("t").unwrap()).into_iter().zip(numbers(found.column("x").unwrap())).collect()
}

fn length(text: &str) -> Duration {
    Duration::try_parse(text).unwrap()
}

/// What `group_by_dynamic` of polars gives.
fn dynamic(whole: &DataFrame, every: &str, period: &str, offset: &str, closed: ClosedWindow) -> Vec<(i64, i64)> {
    let options = DynamicGroupOptions {
        index_column: "t".into(),
        every: length(every),
        period: length(period),
        offset: length(offset),
        label: Label::Left,
        include_boundaries: false,
        closed_window: closed,
        start_by: StartBy::WindowBound,
    };
    let (windows, _, groups) = whole.group_by_dynamic(None, &options).unwrap();
    let x = numbers(whole.column("x").unwrap());
    let groups: Vec<&[i64]> = groups.iter().map(|group| &x[group.first() as usize..][..group.len()]).collect();
    let all = numbers(&windows).into_iter().zip(groups);
    all.filter(|(_, rows)| !rows.is_empty()).map(|(begin, rows)| (begin, rows.iter().sum())).collect()
}

/// As many rows as lie between two times of a clock that is changed in between, and windows that polars counts on from its first row.
#[test]
fn windows_of_an_hour_and_of_days_are_those_of_group_by_dynamic() {
    let side_by_side = [("20m", "0s"), ("1h", "0s"), ("1h", "15m"), ("1d", "0s"), ("1d", "6h"), ("1d", "-3h"), ("2d", "12h"), ("1w", "1d")];
    let of_any_length = [
        ("1h", "3h", "0s"),
        ("1h", "90m", "15m"),
        ("30m", "10m", "0s"),
        ("1d", "2d", "0s"),
        ("1d", "2d", "6h"),
        ("1d", "36h", "0s"),
        ("1d", "6h", "0s"),
        ("1mo", "1mo", "0s"),
    ];
    let same = side_by_side.iter().map(|(every, offset)| (*every, *every, *offset));
    for from in CHANGES {
        let whole = three_days(from);
        for (every, period, offset) in same.clone().chain(of_any_length) {
            for closed in ENDS {
                let expected = dynamic(&whole, every, period, offset, closed);
                for partitions in [1, 2, 5] {
                    let case = format!("{every} {period} {offset} {closed:?} from {from}, {partitions} partitions");
                    let windows = DFrame::from_polars(whole.clone(), partitions).resample("t", every).period(period).offset(offset);
                    let mut found = sums(&windows.closed(closed).agg([col("x").sum()]), &case);
                    // Polars has no window before the one that has begun last when the first row comes.
                    found.retain(|(begin, _)| *begin >= expected[0].0);
                    assert_eq!(found, expected, "{case}");
                }
            }
        }
    }
}

/// Windows of several hours begin where a clock shows it, on each day: each lasts until the next begins, or for its period.
#[test]
fn windows_of_several_hours_begin_where_truncate_says() {
    for from in CHANGES {
        let whole = three_days(from);
        let rows: Vec<(i64, i64)> = numbers(whole.column("t").unwrap()).into_iter().zip(numbers(whole.column("x").unwrap())).collect();
        for (every, period) in
            [("2h", None), ("3h", None), ("6h", None), ("2h", Some(4)), ("3h", Some(5)), ("6h", Some(1)), ("6h", Some(24))]
        {
            let minutes = times((-3 * 1440..5 * 1440).map(|minute| (from + minute * 60) * 1000).collect());
            let begins = minutes.select([col("t").dt().truncate(lit(every))]).unique_stable(None, UniqueKeepStrategy::First);
            let begins = numbers(begins.collect().unwrap().column("t").unwrap());
            assert!(begins.is_sorted());
            for closed in ENDS {
                let window = |pair: &[i64]| {
                    let (begin, end) = (pair[0], period.map_or(pair[1], |hours: i64| pair[0] + hours * HOUR));
                    let holds = |time: i64| match closed {
                        ClosedWindow::Left => begin <= time && time < end,
                        ClosedWindow::Right => begin < time && time <= end,
                        ClosedWindow::Both => begin <= time && time <= end,
                        ClosedWindow::None => begin < time && time < end,
                    };
                    let held: Vec<i64> = rows.iter().filter(|(time, _)| holds(*time)).map(|(_, x)| *x).collect();
                    (!held.is_empty()).then(|| (begin, held.iter().sum::<i64>()))
                };
                let expected: Vec<(i64, i64)> = begins.windows(2).filter_map(window).collect();
                for partitions in [1, 2, 5] {
                    let case = format!("{every} {period:?} {closed:?} from {from}, {partitions} partitions");
                    let mut windows = DFrame::from_polars(whole.clone(), partitions).resample("t", every).closed(closed);
                    if let Some(hours) = period {
                        windows = windows.period(&format!("{hours}h"));
                    }
                    assert_eq!(sums(&windows.agg([col("x").sum()]), &case), expected, "{case}");
                }
            }
        }
    }
}

/// On every executor, rows in any order: days of 23 and of 25 hours, and midnights that come twice or not at all.
#[test]
fn days_are_one_window_each() {
    for (zone, from, hours) in [
        ("Europe/Berlin", 1_711_753_200, [24, 23, 24]),
        ("Europe/Berlin", 1_729_893_600, [24, 25, 24]),
        // At one o'clock it is midnight again.
        ("America/Havana", 1_730_520_000, [24, 25, 24]),
        // After 23:59 comes 1:00.
        ("Asia/Beirut", 1_711_749_600, [24, 23, 24]),
    ] {
        let dtype = DataType::Datetime(TimeUnit::Microseconds, TimeZone::opt_try_new(Some(zone)).unwrap());
        let all: i64 = hours.iter().sum();
        // By 7 through all hours, so that each partition has rows of each day.
        let hours_since: Vec<i64> = (0..all).map(|row| row * 7 % all).collect();
        let frame = df!("t" => hours_since.iter().map(|hour| (from + hour * 3600) * 1_000_000).collect::<Vec<_>>()).unwrap();
        let frame = frame.lazy().with_columns([col("t").cast(dtype)]).collect().unwrap();
        for partitions in [1, 2, 5] {
            for (name, executor) in executors() {
                let case = format!("{zone} from {from}, {partitions} partitions, {name}");
                let days = DFrame::from_polars(frame.clone(), partitions).resample("t", "1d").agg([len()]);
                let found = days.compute_on(&*executor).unwrap_or_else(|failure| panic!("{case}: {failure}")).frame;
                assert_eq!(numbers(found.column("len").unwrap()), hours, "{case}\n{found}");
                let second = from + hours[0] * 3600;
                let begins = [from, second, second + hours[1] * 3600].map(|seconds| seconds * 1_000_000);
                assert_eq!(numbers(found.column("t").unwrap()), begins, "{case}\n{found}");
                // A row at a beginning is in the day before, which lasts until then, whatever the clock shows.
                let days = DFrame::from_polars(frame.clone(), partitions).resample("t", "1d").closed(ClosedWindow::Right).agg([len()]);
                let found = days.compute_on(&*executor).unwrap_or_else(|failure| panic!("{case}: {failure}")).frame;
                assert_eq!(numbers(found.column("len").unwrap()), [1, hours[0], hours[1], hours[2] - 1], "{case}\n{found}");
            }
        }
    }
}

#[test]
fn lengths_of_time_that_are_none_are_refused_by_name() {
    let frame = DFrame::from_polars(three_days(CHANGES[0]), 2);
    let absurd =
        ["99999999999999999999d", "9223372036854775807ns", "9223372036854775807h", "400y", "", "1", "1x", "1 hour", "-", "d", "1d-1h"];
    let refused = |windows: DFrame, text: &str| {
        let told = failure(&windows, Code::InvalidOption);
        assert!(told.contains(&format!("`{text}`")) && told.contains("clocks.rs:"), "{text}: {told}");
    };
    for text in absurd {
        refused(frame.resample("t", text).sum(), text);
        refused(frame.resample("t", "1h").period(text).sum(), text);
        refused(frame.resample("t", "1h").offset(text).sum(), text);
        refused(frame.rolling_by("t", text).sum(), text);
    }
    for text in ["-1h", "0s", "-0d"] {
        for windows in [frame.resample("t", text).sum(), frame.resample("t", "1h").period(text).sum(), frame.rolling_by("t", text).sum()] {
            let told = failure(&windows, Code::InvalidOption);
            assert!(told.contains("holds no rows") && told.contains("clocks.rs:"), "{text}: {told}");
        }
    }
    refused(frame.rolling_by("x", "9223372036854775807i").select(["x"]).sum(), "9223372036854775807i");
    // A length that the program itself made.
    for text in ["150y", "2000000h", "100000w"] {
        let options =
            RollingOptionsDynamicWindow { window_size: length(text), min_periods: 1, closed_window: ClosedWindow::Right, fn_params: None };
        let told = failure(&frame.select([col("x").rolling_sum_by(col("t"), options)]), Code::InvalidOption);
        assert!(told.contains("too long") && told.contains("clocks.rs:"), "{text}: {told}");
    }
    refused(frame.with_column(col("t").dt().offset_by(lit("99999999999999999999d"))), "99999999999999999999d");
    refused(frame.filter(col("t").dt().truncate(lit("9223372036854775807h")).eq(col("t"))), "9223372036854775807h");
    let days = frame.cast([("t", DataType::Date)]);
    for (of, text) in [(&frame, "1mo1d"), (&frame, "1w12h"), (&days, "36h"), (&days, "1d24h")] {
        let told = failure(&of.resample("t", text).sum(), Code::InvalidOption);
        assert!(told.contains(text) && told.contains("clocks.rs:"), "{text}: {told}");
    }
    // The longest that there are, of which one holds all rows.
    for text in ["100y", "1000000h", "5000w"] {
        assert_eq!(frame.resample("t", text).len().compute().unwrap().height(), 1, "{text}");
        let rolled = frame.rolling_by("t", text).select(["x"]).sum().compute().unwrap();
        assert_eq!(numbers(rolled.column("x").unwrap()).last(), Some(&(215 * 216 / 2)), "{text}");
    }
}
