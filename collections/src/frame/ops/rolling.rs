//! `rolling`: aggregates over the rows, or over the time, before each row.

use partita_graph::{Code, Failure};
use polars::prelude::*;

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
        Rolling { frame: self.clone(), window: Window::Rows { rows, center: false }, min_periods: None, selected: None }
    }

    /// Windows of time that end at each row, its time included and their own beginning not: "30m", "1d12h", "1mo"; of a column of whole
    /// numbers "10i". The rows must ascend in `on`, through all partitions.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("t" => [1i64, 2, 5, 6], "x" => [1, 2, 4, 8])?, 2);
    /// let sums = frame.rolling_by("t", "3i").sum().compute()?;
    /// assert_eq!(sums, df!("t" => [1i64, 2, 5, 6], "x" => [1, 3, 4, 12])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rolling_by(&self, on: &str, window: &str) -> Rolling {
        let window = Window::Time { on: on.into(), window: window.into() };
        Rolling { frame: self.clone(), window, min_periods: None, selected: None }
    }
}

#[derive(Clone)]
enum Window {
    Rows { rows: usize, center: bool },
    Time { on: PlSmallStr, window: String },
}

/// Windows that wait for an aggregate; made by [`DFrame::rolling`] and [`DFrame::rolling_by`].
#[derive(Clone)]
pub struct Rolling {
    frame: DFrame,
    window: Window,
    min_periods: Option<usize>,
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
                self.aggregated(|x, options| x.$rows(options), |x, on, options| x.$time(on, options), method)
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

impl Rolling {
    /// How many values that are not null a window must hold, else its result is null. Default: as many as it has rows; of windows of time
    /// one.
    pub fn min_periods(mut self, values: usize) -> Self {
        self.min_periods = Some(values);
        self
    }

    /// Whether a window of rows lies around its row instead of before it. Default: no.
    pub fn center(mut self, around: bool) -> Self {
        if let Window::Rows { center, .. } = &mut self.window {
            *center = around;
        }
        self
    }

    /// Only these columns, or expressions of them.
    pub fn select(mut self, columns: impl IntoExprs) -> Self {
        self.selected = Some(columns.into_exprs());
        self
    }

    #[track_caller]
    fn aggregated(
        &self,
        by_rows: fn(Expr, RollingOptionsFixedWindow) -> Expr,
        by_time: fn(Expr, Expr, RollingOptionsDynamicWindow) -> Expr,
        method: &str,
    ) -> DFrame {
        match self.exprs(by_rows, by_time, method) {
            Ok(exprs) => self.frame.select_as(exprs, method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }

    fn exprs(
        &self,
        by_rows: fn(Expr, RollingOptionsFixedWindow) -> Expr,
        by_time: fn(Expr, Expr, RollingOptionsDynamicWindow) -> Expr,
        method: &str,
    ) -> Result<Vec<Expr>, Failure> {
        let columns = self.taken(method)?;
        match &self.window {
            Window::Rows { rows, center } => {
                let min_periods = self.min_periods.unwrap_or(*rows);
                if *rows == 0 || min_periods > *rows {
                    let what = format!("a window of {rows} rows cannot hold {min_periods} values");
                    return Err(
                        Failure::new(Code::InvalidOption, what).help("a window has at least one row and as many as .min_periods(…)")
                    );
                }
                let options =
                    RollingOptionsFixedWindow { window_size: *rows, min_periods, weights: None, center: *center, fn_params: None };
                Ok(columns.into_iter().map(|x| by_rows(x, options.clone())).collect())
            }
            Window::Time { on, window } => {
                let window_size = Duration::try_parse(window).map_err(|e| {
                    Failure::new(Code::InvalidOption, format!("`{window}` is no length of time: {e}"))
                        .help("as \"30m\", \"1d12h\" or \"10i\"")
                })?;
                let options = RollingOptionsDynamicWindow {
                    window_size,
                    min_periods: self.min_periods.unwrap_or(1),
                    closed_window: ClosedWindow::Right,
                    fn_params: None,
                };
                let times = Expr::Column(on.clone());
                let rolled = columns.into_iter().map(|x| by_time(x, times.clone(), options.clone()));
                Ok([times.clone()].into_iter().chain(rolled).collect())
            }
        }
    }

    /// The columns that are aggregated.
    fn taken(&self, method: &str) -> Result<Vec<Expr>, Failure> {
        let schema = self.frame.resolved()?;
        if let Some(selected) = &self.selected {
            return self.frame.expanded(selected.clone());
        }
        let times = match &self.window {
            Window::Time { on, .. } => Some(on),
            Window::Rows { .. } => None,
        };
        let numbers = schema.iter().filter(|(name, dtype)| dtype.is_primitive_numeric() && Some(*name) != times);
        let numbers: Vec<Expr> = numbers.map(|(name, _)| col(name.clone())).collect();
        match numbers.is_empty() {
            false => Ok(numbers),
            true => Err(Failure::new(Code::TypeMismatch, format!("{method} has no column to work on: no column holds numbers"))),
        }
    }
}
