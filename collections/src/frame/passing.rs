//! Conditions that compare columns with constants and with each other, asked of a frame without a plan of polars: to plan such a condition
//! takes longer than to ask it of some ten thousand rows, and readers ask it of every piece that they read.
//!
//! It refuses whatever is not as plain as that: functions, sums, types that would have to be brought together. Invariant: the rows are those
//! that `LazyFrame::filter` leaves. NaN is equal to NaN and above every number, as it is for polars, and a comparison with null does not pass.

use std::ops::Range;

use polars::polars_utils::total_ord::{TotalEq, TotalOrd};
use polars::prelude::*;
use polars_arrow::array::PrimitiveArray;
use polars_arrow::bitmap::{Bitmap, BitmapBuilder};
use polars_arrow::types::NativeType;
use polars_plan::dsl::{BooleanFunction, FunctionExpr};
use polars_plan::plans::{DynLiteralValue, LiteralValue};

use crate::frame::expr::as_column;

/// The rows that pass, a bit for each; `None` where polars has to be asked.
pub(crate) fn passing(frame: &DataFrame, condition: &Expr) -> Option<Bitmap> {
    match condition {
        Expr::Alias(inner, _) => passing(frame, inner),
        Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } => {
            Some(&passing(frame, left)? & &passing(frame, right)?)
        }
        Expr::BinaryExpr { left, op: Operator::Or | Operator::LogicalOr, right } => Some(&passing(frame, left)? | &passing(frame, right)?),
        Expr::BinaryExpr { left, op, right } => match (as_column(left), as_column(right)) {
            (Some(one), Some(other)) => of_columns(series(frame, one)?, *op, series(frame, other)?),
            (Some(name), None) => of_constant(series(frame, name)?, *op, right),
            (None, Some(name)) => of_constant(series(frame, name)?, mirrored(*op), left),
            (None, None) => None,
        },
        Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsBetween { closed }) } => {
            let [value, low, high] = &input[..] else { return None };
            let (above, below) = ends(*closed);
            let values = series(frame, as_column(value)?)?;
            Some(&of_constant(values, above, low)? & &of_constant(values, below, high)?)
        }
        _ => None,
    }
}

/// By which comparisons a value is in an interval.
pub(crate) fn ends(closed: ClosedInterval) -> (Operator, Operator) {
    match closed {
        ClosedInterval::Both => (Operator::GtEq, Operator::LtEq),
        ClosedInterval::Left => (Operator::GtEq, Operator::Lt),
        ClosedInterval::Right => (Operator::Gt, Operator::LtEq),
        ClosedInterval::None => (Operator::Gt, Operator::Lt),
    }
}

/// `a op b` as `b op' a`.
pub(crate) fn mirrored(op: Operator) -> Operator {
    match op {
        Operator::Lt => Operator::Gt,
        Operator::LtEq => Operator::GtEq,
        Operator::Gt => Operator::Lt,
        Operator::GtEq => Operator::LtEq,
        other => other,
    }
}

fn series<'a>(frame: &'a DataFrame, name: &str) -> Option<&'a Series> {
    frame.column(name).ok().map(Column::as_materialized_series)
}

/// Types of which a value is a number that compares as the value does.
macro_rules! of_numbers {
    ($series:expr, |$numbers:ident| $work:expr) => {{
        let physical = $series.to_physical_repr();
        match physical.dtype() {
            DataType::Int8 => {
                let $numbers = physical.i8().ok()?;
                $work
            }
            DataType::Int16 => {
                let $numbers = physical.i16().ok()?;
                $work
            }
            DataType::Int32 => {
                let $numbers = physical.i32().ok()?;
                $work
            }
            DataType::Int64 => {
                let $numbers = physical.i64().ok()?;
                $work
            }
            DataType::UInt8 => {
                let $numbers = physical.u8().ok()?;
                $work
            }
            DataType::UInt16 => {
                let $numbers = physical.u16().ok()?;
                $work
            }
            DataType::UInt32 => {
                let $numbers = physical.u32().ok()?;
                $work
            }
            DataType::UInt64 => {
                let $numbers = physical.u64().ok()?;
                $work
            }
            DataType::Float64 => {
                let $numbers = physical.f64().ok()?;
                $work
            }
            _ => None,
        }
    }};
}

fn of_constant(values: &Series, op: Operator, constant: &Expr) -> Option<Bitmap> {
    let constant = as_typed(constant, values.dtype())?;
    if let DataType::String = values.dtype() {
        let (texts, constant) = (values.str().ok()?, constant.str().ok()?.get(0)?);
        let mask = match op {
            Operator::Eq => texts.equal(constant),
            Operator::NotEq => texts.not_equal(constant),
            _ => return None,
        };
        return Some(true_ones(&mask));
    }
    let constant = constant.to_physical_repr().into_owned();
    of_numbers!(values, |numbers| {
        let constant = numbers.unpack_series_matching_type(&constant).ok()?.get(0)?;
        with_constant(numbers, op, constant)
    })
}

/// A constant as one value of exactly this type.
fn as_typed(constant: &Expr, dtype: &DataType) -> Option<Series> {
    let one = |scalar: Scalar| (!scalar.is_null()).then(|| scalar.into_series(PlSmallStr::EMPTY));
    match constant {
        Expr::Alias(inner, _) => as_typed(inner, dtype),
        Expr::Literal(LiteralValue::Scalar(scalar)) if scalar.dtype() == dtype && is_number_or_text(dtype) => one(scalar.clone()),
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(number))) if is_integer(dtype) => {
            // A number that the type does not hold makes polars compare in another type.
            let held = Series::new(PlSmallStr::EMPTY, [i64::try_from(*number).ok()?]).strict_cast(dtype).ok()?;
            (held.null_count() == 0).then_some(held)
        }
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(number))) if *dtype == DataType::Float64 => one(Scalar::from(*number as f64)),
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Float(number))) if *dtype == DataType::Float64 => one(Scalar::from(*number)),
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Str(text))) if *dtype == DataType::String => one(Scalar::from(text.clone())),
        _ => None,
    }
}

fn is_integer(dtype: &DataType) -> bool {
    dtype.is_integer() && !matches!(dtype, DataType::Int128 | DataType::UInt128)
}

fn is_number_or_text(dtype: &DataType) -> bool {
    is_integer(dtype)
        || matches!(dtype, DataType::Float64 | DataType::String | DataType::Date | DataType::Time)
        || matches!(dtype, DataType::Datetime(..) | DataType::Duration(_))
}

fn of_columns(one: &Series, op: Operator, other: &Series) -> Option<Bitmap> {
    if one.dtype() != other.dtype() || !is_number_or_text(one.dtype()) || one.len() != other.len() {
        return None;
    }
    let other = other.to_physical_repr();
    of_numbers!(one, |numbers| with_each(numbers, op, numbers.unpack_series_matching_type(&other).ok()?))
}

/// Does some work with the test that a comparison is.
macro_rules! by {
    ($op:expr, $T:ty, |$test:ident| $work:expr) => {
        match $op {
            Operator::Eq => {
                let $test = <$T>::tot_eq;
                $work
            }
            Operator::NotEq => {
                let $test = <$T>::tot_ne;
                $work
            }
            Operator::Lt => {
                let $test = <$T>::tot_lt;
                $work
            }
            Operator::LtEq => {
                let $test = <$T>::tot_le;
                $work
            }
            Operator::Gt => {
                let $test = <$T>::tot_gt;
                $work
            }
            Operator::GtEq => {
                let $test = <$T>::tot_ge;
                $work
            }
            _ => return None,
        }
    };
}

fn with_constant<T>(numbers: &ChunkedArray<T>, op: Operator, constant: T::Native) -> Option<Bitmap>
where
    T: PolarsNumericType,
    T::Native: TotalEq + TotalOrd,
{
    let mut all = BitmapBuilder::with_capacity(numbers.len());
    for array in numbers.downcast_iter() {
        let values = array.values().as_slice();
        let bits = by!(op, T::Native, |test| bits(values.len(), |rows| word(values[rows].iter().map(|value| test(value, &constant)))));
        all.extend_from_bitmap(&valid(bits, array));
    }
    Some(all.freeze())
}

fn with_each<T>(one: &ChunkedArray<T>, op: Operator, other: &ChunkedArray<T>) -> Option<Bitmap>
where
    T: PolarsNumericType,
    T::Native: TotalEq + TotalOrd,
{
    let (one, other) = (one.rechunk(), other.rechunk());
    let (one, other) = (one.downcast_as_array(), other.downcast_as_array());
    let (left, right) = (one.values().as_slice(), other.values().as_slice());
    let bits = by!(op, T::Native, |test| bits(left.len(), |rows| {
        word(left[rows.clone()].iter().zip(&right[rows]).map(|(left, right)| test(left, right)))
    }));
    Some(valid(valid(bits, one), other))
}

/// Bits made 64 at a time.
fn bits(len: usize, word: impl Fn(Range<usize>) -> u64) -> Bitmap {
    let words = (0..len.div_ceil(64)).map(|at| word(at * 64..len.min(at * 64 + 64)));
    Bitmap::from_u8_vec(words.flat_map(u64::to_le_bytes).collect(), len)
}

#[inline(always)]
fn word(flags: impl Iterator<Item = bool>) -> u64 {
    flags.enumerate().fold(0, |word, (at, flag)| word | u64::from(flag) << at)
}

/// Without the rows that are null.
fn valid<T: NativeType>(bits: Bitmap, array: &PrimitiveArray<T>) -> Bitmap {
    array.validity().map_or(bits.clone(), |valid| &bits & valid)
}

fn true_ones(mask: &BooleanChunked) -> Bitmap {
    let mut bits = BitmapBuilder::with_capacity(mask.len());
    for array in mask.downcast_iter() {
        match array.validity() {
            None => bits.extend_from_bitmap(array.values()),
            Some(valid) => bits.extend_from_bitmap(&(array.values() & valid)),
        }
    }
    bits.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i32 = 9_000;

    fn frame() -> DataFrame {
        let numbers = [Some(1.0), None, Some(f64::NAN), Some(-0.0), Some(0.0), Some(f64::INFINITY), Some(3.5)];
        // More than one word, and a last one that is not full.
        let rows = 0..150usize;
        let floats: Vec<Option<f64>> = rows.clone().map(|row| numbers[row % 7]).collect();
        let others: Vec<Option<f64>> = rows.clone().map(|row| numbers[row % 5]).collect();
        let whole: Vec<Option<i64>> = rows.clone().map(|row| (row % 11 != 0).then_some(row as i64 % 13 - 6)).collect();
        let small: Vec<u8> = rows.clone().map(|row| row as u8).collect();
        let texts: Vec<Option<&str>> =
            rows.clone().map(|row| [Some("a"), Some("b"), None, Some("a text that is longer")][row % 4]).collect();
        let days = Series::new("d".into(), rows.map(|row| DAY + row as i32 % 9).collect::<Vec<_>>()).cast(&DataType::Date).unwrap();
        let mut frame = df!("f" => floats, "g" => others, "i" => whole, "u" => small, "t" => texts).unwrap();
        frame.with_column(days.into_column()).unwrap();
        frame
    }

    /// Of the frame, of no rows of it, and of it in several pieces the same rows pass as for polars.
    fn check(condition: &Expr) {
        let whole = frame();
        let mut pieces = whole.slice(0, 70);
        pieces.vstack_mut(&whole.slice(70, 80)).unwrap();
        for frame in [whole.clone(), whole.head(Some(0)), whole.slice(3, 64), pieces] {
            let expected = frame.clone().lazy().select([condition.clone().alias("keep")]).collect().unwrap();
            let expected: Vec<bool> = expected.column("keep").unwrap().bool().unwrap().iter().map(|keep| keep == Some(true)).collect();
            let found = passing(&frame, condition).unwrap_or_else(|| panic!("{condition} is left to polars"));
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{condition}");
        }
    }

    #[test]
    fn comparisons_leave_what_polars_leaves() {
        let all: [fn(Expr, Expr) -> Expr; 6] = [Expr::eq, Expr::neq, Expr::lt, Expr::lt_eq, Expr::gt, Expr::gt_eq];
        let day = || Expr::Literal(LiteralValue::Scalar(Scalar::new(DataType::Date, AnyValue::Date(DAY + 4))));
        for compare in all {
            for constant in [lit(1), lit(0), lit(3.5), lit(f64::NAN), lit(-0.0)] {
                check(&compare(col("f"), constant.clone()));
                check(&compare(constant, col("f")));
            }
            for constant in [-7, -6, 0, 6, 7] {
                check(&compare(col("i"), lit(constant)));
            }
            check(&compare(col("i"), lit(3i64)));
            check(&compare(lit(200), col("u")));
            check(&compare(col("f"), col("g")));
            check(&compare(col("i"), col("i")));
            check(&compare(col("d"), day()));
            check(&compare(day(), col("d")));
        }
        check(&col("t").eq(lit("a")));
        check(&lit("a text that is longer").neq(col("t")));
    }

    #[test]
    fn parts_and_intervals_leave_what_polars_leaves() {
        for closed in [ClosedInterval::Both, ClosedInterval::Left, ClosedInterval::Right, ClosedInterval::None] {
            check(&col("f").is_between(lit(0), lit(3.5), closed));
            check(&col("i").is_between(lit(-2), lit(4), closed));
        }
        let (i, t) = (|| col("i").gt(lit(0)), || col("t").eq(lit("b")));
        check(&i().and(t()));
        check(&i().or(t()).and(col("f").lt(lit(2))));
        check(&i().logical_and(t()).alias("x"));
    }

    #[test]
    fn what_is_not_plain_is_left_to_polars() {
        let left = |condition: Expr| assert_eq!(passing(&frame(), &condition), None, "{condition}");
        left(col("u").lt(lit(256)));
        left(col("u").gt(lit(-1)));
        left(col("i").gt(lit(0.5)));
        left(col("i").lt(col("f")));
        left(col("t").lt(lit("b")));
        left(col("i").eq_missing(lit(0)));
        left(col("i").gt(lit(NULL)));
        left((col("i") + lit(1)).gt(lit(0)));
        left(col("missing").gt(lit(0)));
        left(col("i").gt(lit(0)).not());
        left(col("d").gt(lit(DAY)));
    }
}
