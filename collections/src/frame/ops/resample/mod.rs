//! `resample`: groups by windows of time.

mod windows;

use partita_graph::{Code, Failure};
use polars::prelude::*;

use self::windows::Windows;
use crate::frame::length_of_time::length_of_time;
use crate::frame::shuffle::named;
use crate::frame::{DFrame, GroupBy, IntoExprs};

const METHOD: &str = ".resample(…)";
/// Holds, while rows are spread over windows, the beginning of a window that a row may be in.
const WINDOW: &str = "\0window";
/// A row is looked at once for each window that it may be in.
const MOST: u64 = 1000;
const HOUR: u64 = 3600 * 1_000_000_000;

impl DFrame {
    /// Groups rows by windows of one length of a column of dates or times: "15m", "1h", "1d", "1w", "1mo", "1y", counted from the epoch
    /// (weeks from Mondays, months and years by the calendar). Follow with an aggregate.
    ///
    /// The result has the beginning of each window in the column's place and is sorted by it. A window without rows is not there. The frame
    /// need not be sorted. Windows may be longer or shorter than the steps in which they begin, see [`Resample::period`]; what polars can say
    /// of windows in `group_by_dynamic` can be said here.
    ///
    /// Of times with a zone windows begin by its clock, also where it is put forward or back. Those of days, weeks, months and years begin when
    /// the clock shows it, so that a day may have 23 or 25 hours; an hour that comes twice is two windows of an hour. So far this is what
    /// `group_by_dynamic` gives. Windows of several hours begin where `dt().truncate(…)` of polars says, at 0, 2, 4 o'clock on every day, so that
    /// on a day of change one is shorter or longer, whichever row comes first; `group_by_dynamic` and pandas go on counting hours from the first
    /// row, and after a change their windows begin at other hours. For windows of one length count in UTC: `dt().convert_time_zone(…)`.
    ///
    /// ```
    /// use partita::{polars::prelude::{IntoLazy, TimeUnit}, prelude::*};
    /// let minutes = df!("t" => [0i64, 10, 70, 200], "x" => [1, 2, 4, 8])?.lazy();
    /// let timed = minutes.with_column((col("t") * lit(60_000)).cast(DataType::Datetime(TimeUnit::Milliseconds, None))).collect()?;
    /// let hours = DFrame::from_polars(timed, 3).resample("t", "1h").sum().compute()?;
    /// assert_eq!(hours.column("x")?.i32()?.iter().flatten().collect::<Vec<_>>(), [3, 4, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "group_by_dynamic")]
    pub fn resample(&self, on: &str, every: &str) -> Resample {
        Resample {
            frame: self.clone(),
            on: on.into(),
            every: every.into(),
            period: None,
            offset: None,
            by: Vec::new(),
            closed: ClosedWindow::Left,
            label: Label::Left,
            boundaries: false,
        }
    }
}

/// Windows of time that wait for an aggregate; made by [`DFrame::resample`].
#[derive(Clone)]
pub struct Resample {
    frame: DFrame,
    on: PlSmallStr,
    every: String,
    period: Option<String>,
    offset: Option<String>,
    by: Vec<Expr>,
    closed: ClosedWindow,
    label: Label,
    boundaries: bool,
}

macro_rules! shortcuts {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        impl Resample {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> DFrame {
                match self.grouped() {
                    Ok((groups, keys)) => self.labelled(groups.$name().sort(keys)),
                    Err(failure) => DFrame::failed(failure, concat!(".resample(…).", stringify!($name), "()")),
                }
            })*
        }
    };
}

shortcuts! {
    /// The sum of each number column.
    sum;
    /// The mean of each number column; nulls are left out.
    mean;
    /// The least value of each column.
    min;
    /// The greatest value of each column.
    max;
    /// The number of values that are not null, of each column.
    count;
    /// The first value of each column, in row order.
    first;
    /// The last value of each column, in row order.
    last;
    /// The median of each number column.
    median;
    /// The sample standard deviation of each number column.
    std;
    /// The sample variance of each number column.
    var;
    /// The number of different values of each column.
    n_unique;
    /// The number of rows of each window, as column `len`.
    len;
}

impl Resample {
    /// Windows for each combination of these keys, which come before the time. Default: none.
    pub fn by(mut self, keys: impl IntoExprs) -> Self {
        self.by = keys.into_exprs();
        self
    }

    /// By how much all windows begin later, for example "6h" for days that begin at six, also on a day when clocks are changed, or "1d" for
    /// weeks that begin on Tuesdays. A length of time without months. Default: nothing.
    pub fn offset(mut self, offset: &str) -> Self {
        self.offset = Some(offset.into());
        self
    }

    /// How long each window is. Longer than the steps in which windows begin: they overlap, and a row counts in all that it is in. Shorter: what
    /// lies between them counts in none, nor does a row without a time. Default: as long as the steps.
    ///
    /// Every window with a row in it is there; polars has none before the one that has begun last when the first row comes.
    ///
    /// Rows are repeated for each window that they may be in, up to 1000.
    ///
    /// ```
    /// use partita::{polars::prelude::IntoLazy, prelude::*};
    /// let days = df!("t" => [0i32, 1, 2, 5], "x" => [1, 2, 4, 8])?.lazy().with_column(col("t").cast(DataType::Date)).collect()?;
    /// let sums = DFrame::from_polars(days, 2).resample("t", "1d").period("2d").sum().compute()?;
    /// // The days that begin a window of two days with rows in it: the one before the first row too.
    /// assert_eq!(sums.column("t")?.cast(&DataType::Int32)?.i32()?.iter().flatten().collect::<Vec<_>>(), [-1, 0, 1, 2, 4, 5]);
    /// assert_eq!(sums.column("x")?.i32()?.iter().flatten().collect::<Vec<_>>(), [1, 3, 6, 4, 8, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn period(mut self, period: &str) -> Self {
        self.period = Some(period.into());
        self
    }

    /// Which of its ends belong to a window. Default: the beginning, `ClosedWindow::Left`.
    ///
    /// ```
    /// use partita::{polars::prelude::{ClosedWindow, IntoLazy}, prelude::*};
    /// let days = df!("t" => [0i32, 1, 2], "x" => [1, 2, 4])?.lazy().with_column(col("t").cast(DataType::Date)).collect()?;
    /// let sums = DFrame::from_polars(days, 2).resample("t", "2d").closed(ClosedWindow::Right).sum().compute()?;
    /// assert_eq!(sums.column("x")?.i32()?.iter().flatten().collect::<Vec<_>>(), [1, 6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn closed(mut self, ends: ClosedWindow) -> Self {
        self.closed = ends;
        self
    }

    /// Which end of a window stands in the column's place: its beginning, `Label::Left`, or the end of its period, `Label::Right`. Default: the
    /// beginning.
    pub fn label(mut self, end: Label) -> Self {
        self.label = end;
        self
    }

    /// Whether the beginning and the end of each window stand in columns of their own, `_lower_boundary` and `_upper_boundary`, before the column
    /// of the time. Default: no.
    pub fn include_boundaries(mut self, include: bool) -> Self {
        self.boundaries = include;
        self
    }

    /// Aggregates, as of [`GroupBy::agg`].
    ///
    /// # Errors
    /// At `compute`: a column that does not exist or holds no times, a length of time that is none or longer than 140 years, or a step that is
    /// partly of months or weeks.
    #[track_caller]
    pub fn agg(&self, exprs: impl IntoExprs) -> DFrame {
        match self.grouped() {
            Ok((groups, keys)) => self.labelled(groups.agg(exprs).sort(keys)),
            Err(failure) => DFrame::failed(failure, ".resample(…).agg(…)"),
        }
    }

    /// The groups, and the columns by which they are told apart.
    #[track_caller]
    fn grouped(&self) -> Result<(GroupBy, Vec<Expr>), Failure> {
        let windows = self.windows()?;
        let by = self.frame.expanded(self.by.clone())?;
        let names: Vec<PlSmallStr> = by.iter().map(|key| polars_plan::utils::expr_output_name(key).unwrap_or_default()).collect();
        let keys = named(names.into_iter().chain([self.on.clone()]));
        let with = |expr: Expr| -> Vec<Expr> { by.iter().cloned().chain([expr]).collect() };
        if windows.are_side_by_side() {
            let rows = self.frame.with_columns_as(with(windows.beginning(0)), METHOD);
            return Ok((rows.group_by(keys.clone()), keys));
        }
        let most = windows.most();
        if most > MOST {
            let what = format!("each row would be in up to {most} windows of {} that begin every {}", windows.period, windows.every);
            return Err(
                Failure::new(Code::InvalidOption, what).help(format!("in up to {MOST}; let windows begin less often, or be shorter"))
            );
        }
        let beginnings: Vec<Expr> = (0..most as i64).map(|back| windows.beginning(back)).collect();
        let all = concat_list(beginnings).map_err(|e| Failure::internal(format!("resample: {e}")))?;
        // The time stays until it is known in which windows it is. Rows keep their order, for those who look at the first or the last.
        let rows = self.frame.with_columns_as(with(all.alias(WINDOW)), METHOD).explode([WINDOW]).filter(windows.holds());
        let rows = rows.with_columns_as(vec![col(WINDOW).alias(self.on.clone())], METHOD).drop([WINDOW]);
        Ok((rows.group_by(keys.clone()), keys))
    }

    fn type_of_times(&self, schema: &Schema) -> Result<DataType, Failure> {
        match schema.get(&self.on) {
            Some(dtype @ (DataType::Datetime(..) | DataType::Date)) => Ok(dtype.clone()),
            Some(other) => {
                let what = format!("`{}` is of type {other}, and windows of time are of dates or times", self.on);
                Err(Failure::new(Code::TypeMismatch, what).help("cast it: .cast([(\"t\", DataType::Datetime(…))])"))
            }
            None => Err(crate::frame::expr::column_not_found(&self.on, schema)),
        }
    }

    /// The windows that were asked for, if there can be such.
    fn windows(&self) -> Result<Windows, Failure> {
        let schema = self.frame.resolved()?;
        let dtype = self.type_of_times(schema)?;
        let positive = |text: &str| -> Result<Duration, Failure> {
            let window = timed(text)?;
            match window.is_zero() || window.negative() {
                true => Err(Failure::new(Code::InvalidOption, format!("a window of {text} holds no rows"))),
                false => Ok(window),
            }
        };
        let tick = match &dtype {
            DataType::Datetime(TimeUnit::Milliseconds, _) => 1_000_000,
            DataType::Datetime(TimeUnit::Microseconds, _) => 1_000,
            _ => 1,
        };
        let counted = |what: &str, text: &str, by: Duration| {
            let sentence = format!("{what} of {text} is finer than the times in `{}`, which are of type {dtype}", self.on);
            if by.nanoseconds().unsigned_abs().is_multiple_of(tick) { Ok(()) } else { Err(Failure::new(Code::InvalidOption, sentence)) }
        };
        let whole_days = |what: &str, text: &str, by: Duration| {
            counted(what, text, by)?;
            let is_whole = by.nanoseconds().unsigned_abs().is_multiple_of(24 * HOUR);
            let sentence = format!("{what} of {text} is no number of days, and `{}` holds dates", self.on);
            if dtype == DataType::Date && !is_whole { Err(Failure::new(Code::InvalidOption, sentence)) } else { Ok(()) }
        };
        let every = positive(&self.every)?;
        counted("a step", &self.every, every)?;
        // A step of hours that fits into a day is a day.
        if !(24 * HOUR).is_multiple_of(every.nanoseconds().unsigned_abs().max(1)) {
            whole_days("a step", &self.every, every)?;
        }
        if is_mixed(&every, &dtype) {
            let what = format!("a step of {} is of several units, which begin at different times", self.every);
            return Err(Failure::new(Code::InvalidOption, what).help("say it in one: \"36h\", \"9d\" or \"15mo\""));
        }
        let period = self.period.as_deref().map_or(Ok(every), positive)?;
        if let Some(text) = &self.period {
            whole_days("a period", text, period)?;
        }
        let offset = self.offset.as_deref().map(|text| Ok::<_, Failure>((text, timed(text)?))).transpose()?;
        if let Some((text, by)) = offset {
            if by.months() != 0 {
                let what = format!("an offset of {text} has no fixed length, because months have none");
                return Err(Failure::new(Code::InvalidOption, what).help("in days or less: .offset(\"6h\")"));
            }
            whole_days("an offset", text, by)?;
        }
        if self.label == Label::DataPoint {
            let what = "a window is named after one of its ends, and not after the first time in it";
            let help =
                format!("keep the times beside it: .with_column(col({0:?}).alias(\"seen\")), and aggregate col(\"seen\").min()", self.on);
            return Err(Failure::new(Code::InvalidOption, what).help(help));
        }
        let offset = offset.map(|(_, by)| by);
        Ok(Windows { on: self.on.clone(), dtype, step: self.every.clone(), every, period, offset, closed: self.closed })
    }

    /// The result with the end of each window that was asked for.
    #[track_caller]
    fn labelled(&self, result: DFrame) -> DFrame {
        if self.label == Label::Left && !self.boundaries {
            return result;
        }
        let names: Option<Vec<PlSmallStr>> = result.resolved().ok().map(|schema| schema.iter_names().cloned().collect());
        let (Some(names), Ok(windows)) = (names, self.windows()) else { return result };
        let begin = || Expr::Column(self.on.clone());
        let end = || windows.end(begin());
        let columns = names.into_iter().flat_map(|name| -> Vec<Expr> {
            if name != self.on {
                return vec![Expr::Column(name)];
            }
            let ends = [begin().alias("_lower_boundary"), end().alias("_upper_boundary")];
            let label = if self.label == Label::Right { end().alias(name) } else { begin() };
            ends.into_iter().filter(|_| self.boundaries).chain([label]).collect()
        });
        result.select_as(columns.collect(), METHOD)
    }
}

/// A length of time, and not of values.
fn timed(text: &str) -> Result<Duration, Failure> {
    let length = length_of_time(text)?;
    match length.parsed_int {
        true => Err(Failure::new(Code::InvalidOption, format!("`{text}` is a number and no length of time")).help("as \"15m\" or \"1mo\"")),
        false => Ok(length),
    }
}

/// Whether no calendar has such steps: days and hours go together where times are, nothing else does.
fn is_mixed(every: &Duration, dtype: &DataType) -> bool {
    let units = [every.months(), every.weeks(), every.days(), every.nanoseconds()];
    let several = units.iter().filter(|units| **units != 0).count() > 1;
    several && (*dtype == DataType::Date || every.months() != 0 || every.weeks() != 0)
}
