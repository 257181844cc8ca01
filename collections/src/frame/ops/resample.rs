//! `resample`: groups by windows of time.

use partita_graph::{Code, Failure};
use polars::prelude::*;

use crate::frame::shuffle::named;
use crate::frame::{DFrame, GroupBy, IntoExprs};

impl DFrame {
    /// Groups rows by windows of one length of a column of dates or times: "15m", "1h", "1d", "1w", "1mo", "1y", counted from the epoch
    /// (weeks from Mondays, months and years by the calendar). Follow with an aggregate.
    ///
    /// The result has the beginning of each window in the column's place and is sorted by it. A window without rows is not there. The frame
    /// need not be sorted.
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
        Resample { frame: self.clone(), on: on.into(), every: every.into(), offset: None, by: Vec::new() }
    }
}

/// Windows of time that wait for an aggregate; made by [`DFrame::resample`].
#[derive(Clone)]
pub struct Resample {
    frame: DFrame,
    on: PlSmallStr,
    every: String,
    offset: Option<String>,
    by: Vec<Expr>,
}

macro_rules! shortcuts {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        impl Resample {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> DFrame {
                match self.grouped() {
                    Ok((groups, keys)) => groups.$name().sort(keys),
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

    /// By how much all windows begin later, for example "6h" for days that begin at six. A length of time without months. Default: nothing.
    pub fn offset(mut self, offset: &str) -> Self {
        self.offset = Some(offset.into());
        self
    }

    /// Aggregates, as of [`GroupBy::agg`].
    ///
    /// # Errors
    /// At `compute`: a column that does not exist or holds no times, a length of time that is none.
    #[track_caller]
    pub fn agg(&self, exprs: impl IntoExprs) -> DFrame {
        match self.grouped() {
            Ok((groups, keys)) => groups.agg(exprs).sort(keys),
            Err(failure) => DFrame::failed(failure, ".resample(…).agg(…)"),
        }
    }

    /// The groups, and the columns by which they are told apart.
    #[track_caller]
    fn grouped(&self) -> Result<(GroupBy, Vec<Expr>), Failure> {
        let window = self.window()?;
        let by = self.frame.expanded(self.by.clone())?;
        let names: Vec<PlSmallStr> = by.iter().map(|key| polars_plan::utils::expr_output_name(key).unwrap_or_default()).collect();
        let keys = named(names.into_iter().chain([self.on.clone()]));
        let columns = by.into_iter().chain([window]).collect();
        let windows = self.frame.with_columns_as(columns, ".resample(…)");
        Ok((windows.group_by(keys.clone()), keys))
    }

    /// The beginning of a row's window.
    fn window(&self) -> Result<Expr, Failure> {
        let schema = self.frame.resolved()?;
        let times = Expr::Column(self.on.clone());
        let dtype = match schema.get(&self.on) {
            Some(dtype @ (DataType::Datetime(..) | DataType::Date)) => dtype.clone(),
            Some(other) => {
                let what = format!("`{}` is of type {other}, and windows of time are of dates or times", self.on);
                return Err(Failure::new(Code::TypeMismatch, what).help("cast it: .cast([(\"t\", DataType::Datetime(…))])"));
            }
            None => return Err(crate::frame::expr::column_not_found(&self.on, schema)),
        };
        let every = length(&self.every)?;
        if every.is_zero() || every.negative() {
            return Err(Failure::new(Code::InvalidOption, format!("a window of {} holds no rows", self.every)));
        }
        let begins = |times: Expr| times.dt().truncate(lit(self.every.as_str()));
        let Some(offset) = &self.offset else { return Ok(begins(times)) };
        let by = length(offset)?;
        if by.months() != 0 {
            let what = format!("an offset of {offset} has no fixed length, because months have none");
            return Err(Failure::new(Code::InvalidOption, what).help("in days or less: .offset(\"6h\")"));
        }
        if dtype == DataType::Date && by.duration_ns() % (24 * 3600 * 1_000_000_000) != 0 {
            return Err(Failure::new(
                Code::InvalidOption,
                format!("an offset of {offset} is no number of days, and `{}` holds dates", self.on),
            ));
        }
        Ok((begins((times - lit(by)).cast(dtype.clone())) + lit(by)).cast(dtype).alias(self.on.clone()))
    }
}

fn length(text: &str) -> Result<Duration, Failure> {
    let length = Duration::try_parse(text).map_err(|e| {
        Failure::new(Code::InvalidOption, format!("`{text}` is no length of time: {e}")).help("as \"15m\", \"1d12h\" or \"1mo\"")
    })?;
    match length.parsed_int {
        true => Err(Failure::new(Code::InvalidOption, format!("`{text}` is a number and no length of time")).help("as \"15m\" or \"1mo\"")),
        false => Ok(length),
    }
}
