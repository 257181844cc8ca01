//! `rolling`: aggregates over the rows, or over the time, before each row.

use partita_graph::{Code, Failure};
use polars::prelude::*;

use crate::frame::length_of_time::length_of_time;
use crate::frame::{DFrame, IntoExprs};

impl DFrame {
    /// Windows of `rows` rows that end at each row, through all partitions. Follow with an aggregate; each takes every number column, or
    /// those of [`Rolling::select`], and gives them under their own names.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1.0, 2.0, 6.0, 1.0])?, 3);
    /// let means = frame.rolling(2).mean().compute()?;
    /// assert_eq!(means, df!("x" => [None, Some(1.5), Some(4.0), Some(3.5)])?);
    /// let sums = frame.rolling(3).min_periods(1).sum().compute()?;
    /// assert_eq!(sums, df!("x" => [1.0, 3.0, 9.0, 9.0])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rolling(&self, rows: usize) -> Rolling {
        Rolling::over(self, Window::Rows(rows))
    }

    /// Windows of time that end at each row, its time included and their own beginning not, unless [`Rolling::closed`] says otherwise: "30m",
    /// "1d12h", "1mo"; of a column of whole numbers "10i". The rows must ascend in `on`, through all partitions.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("t" => [1i64, 2, 5, 6], "x" => [1, 2, 4, 8])?, 2);
    /// let sums = frame.rolling_by("t", "3i").sum().compute()?;
    /// assert_eq!(sums, df!("t" => [1i64, 2, 5, 6], "x" => [1, 3, 4, 12])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rolling_by(&self, on: &str, window: &str) -> Rolling {
        Rolling::over(self, Window::Time { on: on.into(), window: window.into() })
    }
}

#[derive(Clone)]
enum Window {
    Rows(usize),
    Time { on: PlSmallStr, window: String },
}

/// Windows that wait for an aggregate; made by [`DFrame::rolling`] and [`DFrame::rolling_by`].
#[derive(Clone)]
pub struct Rolling {
    frame: DFrame,
    window: Window,
    min_periods: Option<usize>,
    center: bool,
    closed: Option<ClosedWindow>,
    selected: Option<Vec<Expr>>,
}

macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident, $rows:ident, $time:ident;)*) => {
        impl Rolling {
            $($(#[$doc])*
            ///
            /// # Errors
            /// At `compute`: no number column, a window that does not fit; while it runs: times that do not ascend.
            #[track_caller]
            pub fn $name(&self) -> DFrame {
                let method = concat!(".rolling(…).", stringify!($name), "()");
                self.aggregated(|x, options| x.$rows(options), Some(|x, on, options| x.$time(on, options)), method)
            })*
        }
    };
}

aggregates! {
    /// The sum of each window.
    sum, rolling_sum, rolling_sum_by;
    /// The mean of each window; nulls are left out.
    mean, rolling_mean, rolling_mean_by;
    /// The least value of each window.
    min, rolling_min, rolling_min_by;
    /// The greatest value of each window.
    max, rolling_max, rolling_max_by;
    /// The sample standard deviation of each window.
    std, rolling_std, rolling_std_by;
    /// The sample variance of each window.
    var, rolling_var, rolling_var_by;
    /// The median of each window.
    median, rolling_median, rolling_median_by;
}

/// What an aggregate makes of a column, times and windows of time.
type ByTime = fn(Expr, Expr, RollingOptionsDynamicWindow) -> Expr;

impl Rolling {
    fn over(frame: &DFrame, window: Window) -> Self {
        Self { frame: frame.clone(), window, min_periods: None, center: false, closed: None, selected: None }
    }

    /// The skewness of each window of rows, corrected for the size of the window as pandas does; of fewer than three values null.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1.0, 2.0, 9.0, 16.0])?, 2);
    /// let skews = frame.rolling(3).skew().compute()?;
    /// // The last three lie evenly around their mean.
    /// assert!(skews.column("x")?.f64()?.get(2).unwrap() > 1.0 && skews.column("x")?.f64()?.get(3).unwrap().abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: as of the others; windows of time.
    #[track_caller]
    pub fn skew(&self) -> DFrame {
        let params = RollingFnParams::Skew { bias: false };
        self.aggregated(move |x, options| x.rolling_skew(with_params(options, params)), None, ".rolling(…).skew()")
    }

    /// The excess kurtosis of each window of rows, 0 of the normal distribution, corrected for the size of the window as pandas does; of fewer
    /// than four values null.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1.0, 2.0, 3.0, 4.0])?, 2);
    /// let kurtoses = frame.rolling(4).kurt().compute()?;
    /// assert!((kurtoses.column("x")?.f64()?.get(3).unwrap() + 1.2).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: as of the others; windows of time.
    #[doc(alias = "kurtosis")]
    #[track_caller]
    pub fn kurt(&self) -> DFrame {
        let params = RollingFnParams::Kurtosis { fisher: true, bias: false };
        self.aggregated(move |x, options| x.rolling_kurtosis(with_params(options, params)), None, ".rolling(…).kurt()")
    }

    /// How many values that are not null a window must hold, else its result is null. Default: as many as it has rows; of windows of time
    /// one.
    pub fn min_periods(mut self, values: usize) -> Self {
        self.min_periods = Some(values);
        self
    }

    /// Whether a window of rows lies around its row instead of before it. Default: no. Windows of time end at their rows: around them is
    /// refused.
    pub fn center(mut self, around: bool) -> Self {
        self.center = around;
        self
    }

    /// Which ends a window of time includes: its beginning (`Left`), the time of its row (`Right`, the default), both, or none. Rows at an end
    /// count together, whichever partition they are in. Windows of rows have so many rows: for them it is refused.
    ///
    /// ```
    /// use partita::{polars::prelude::ClosedWindow, prelude::*};
    /// let frame = DFrame::from_polars(df!("t" => [1i64, 2, 4], "x" => [1, 2, 4])?, 3);
    /// let before = frame.rolling_by("t", "2i").closed(ClosedWindow::Left).sum().compute()?;
    /// assert_eq!(before, df!("t" => [1i64, 2, 4], "x" => [None, Some(1), Some(2)])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn closed(mut self, ends: ClosedWindow) -> Self {
        self.closed = Some(ends);
        self
    }

    /// Only these columns, or expressions of them.
    pub fn select(mut self, columns: impl IntoExprs) -> Self {
        self.selected = Some(columns.into_exprs());
        self
    }

    #[track_caller]
    fn aggregated(&self, by_rows: impl Fn(Expr, RollingOptionsFixedWindow) -> Expr, by_time: Option<ByTime>, method: &str) -> DFrame {
        let exprs = match &self.window {
            Window::Rows(rows) => self.over_rows(*rows, by_rows, method),
            Window::Time { on, window } => self.over_time(on, window, by_time, method),
        };
        match exprs {
            Ok(exprs) => self.frame.select_as(exprs, method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }

    fn over_rows(
        &self,
        rows: usize,
        by_rows: impl Fn(Expr, RollingOptionsFixedWindow) -> Expr,
        method: &str,
    ) -> Result<Vec<Expr>, Failure> {
        let columns = self.taken(method)?;
        let min_periods = self.min_periods.unwrap_or(rows);
        if rows == 0 || min_periods > rows {
            let what = format!("a window of {rows} rows cannot hold {min_periods} values");
            return Err(Failure::new(Code::InvalidOption, what).help("a window has at least one row and as many as .min_periods(…)"));
        }
        if self.closed.is_some() {
            let what = format!("a window of {rows} rows has no ends in time that could be included or not");
            return Err(Failure::new(Code::InvalidOption, what).help(
                "leave out .closed(…), say how many rows: .rolling(rows), or roll by a column of times: .rolling_by(\"t\", \"1h\")",
            ));
        }
        let options = RollingOptionsFixedWindow { window_size: rows, min_periods, weights: None, center: self.center, fn_params: None };
        Ok(columns.into_iter().map(|x| by_rows(x, options.clone())).collect())
    }

    fn over_time(&self, on: &PlSmallStr, window: &str, by_time: Option<ByTime>, method: &str) -> Result<Vec<Expr>, Failure> {
        let columns = self.taken(method)?;
        if self.center {
            let what = "windows of time end at their rows and do not lie around them";
            return Err(Failure::new(Code::InvalidOption, what)
                .help("leave out .center(true); windows of rows can lie around their rows: .rolling(rows).center(true)"));
        }
        let Some(by_time) = by_time else {
            let what = format!("{method} knows windows of rows only, and not windows of time");
            return Err(Failure::new(Code::Unsupported, what).help("give the number of rows: .rolling(rows)"));
        };
        let window_size = length_of_time(window)?;
        let options = RollingOptionsDynamicWindow {
            window_size,
            min_periods: self.min_periods.unwrap_or(1),
            closed_window: self.closed.unwrap_or(ClosedWindow::Right),
            fn_params: None,
        };
        let times = Expr::Column(on.clone());
        let rolled = columns.into_iter().map(|x| by_time(x, times.clone(), options.clone()));
        Ok([times.clone()].into_iter().chain(rolled).collect())
    }

    /// The columns that are aggregated.
    fn taken(&self, method: &str) -> Result<Vec<Expr>, Failure> {
        let schema = self.frame.resolved()?;
        if let Some(selected) = &self.selected {
            return self.frame.expanded(selected.clone());
        }
        let times = match &self.window {
            Window::Time { on, .. } => Some(on),
            Window::Rows(_) => None,
        };
        let numbers = schema.iter().filter(|(name, dtype)| dtype.is_primitive_numeric() && Some(*name) != times);
        let numbers: Vec<Expr> = numbers.map(|(name, _)| col(name.clone())).collect();
        match numbers.is_empty() {
            false => Ok(numbers),
            true => Err(Failure::new(Code::TypeMismatch, format!("{method} has no column to work on: no column holds numbers"))),
        }
    }
}

fn with_params(options: RollingOptionsFixedWindow, params: RollingFnParams) -> RollingOptionsFixedWindow {
    RollingOptionsFixedWindow { fn_params: Some(params), ..options }
}
