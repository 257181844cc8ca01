//! Cumulative sums, products, minima, maxima and counts, through all partitions.

use polars::prelude::DataType;

use crate::frame::DFrame;

macro_rules! cumulative {
    ($($(#[$doc:meta])* $name:ident, $takes:expr;)*) => {
        impl DFrame {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> DFrame {
                self.each_beside($takes, |x| x.$name(false), concat!(".", stringify!($name), "()"))
            })*
        }
    };
}

cumulative! {
    /// The sum of all values up to each row, for each number column; other columns are left out. A null stays null and adds nothing.
    ///
    /// Single columns, also from the last row to the first, in an expression: `frame.with_columns([col("x").cum_sum(true)])`; within
    /// groups: `col("x").cum_sum(false).over([col("k")])`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1i64, 2, 3])?, 3);
    /// assert_eq!(frame.cum_sum().compute()?, df!("x" => [1i64, 3, 6])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without number columns.
    cum_sum, DataType::is_primitive_numeric;
    /// The product of all values up to each row, for each number column; otherwise as [`DFrame::cum_sum`].
    cum_prod, DataType::is_primitive_numeric;
    /// The least value up to each row, for each column of numbers, dates or times; NaN counts only where there is nothing else. Otherwise
    /// as [`DFrame::cum_sum`].
    cum_min, |dtype: &DataType| dtype.is_primitive_numeric() || dtype.is_temporal();
    /// The greatest value up to each row, for each column of numbers, dates or times; NaN counts only where there is nothing else.
    /// Otherwise as [`DFrame::cum_sum`].
    cum_max, |dtype: &DataType| dtype.is_primitive_numeric() || dtype.is_temporal();
    /// The number of values that are not null up to each row, for each column.
    cum_count, |_: &DataType| true;
}
