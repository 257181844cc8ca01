//! Dates and times that a program writes as text (`lit("1994-01-31").cast(DataType::Date)`) are read once, when the step is written: every
//! task would read them again for every partition, and bounds of columns are compared with values.
//!
//! Text that does not say a date stays as it is, and is refused where it was before.

use polars::prelude::*;
use polars_plan::plans::{DynLiteralValue, LiteralValue};

use super::expr::on_polars_thread;

/// The expression with such constants as values.
pub(crate) fn folded(expr: Expr) -> Expr {
    if !(&expr).into_iter().any(is_cast_text) {
        return expr;
    }
    expr.map_expr(|expr| if is_cast_text(&expr) { value(&expr).unwrap_or(expr) } else { expr })
}

fn is_cast_text(expr: &Expr) -> bool {
    let Expr::Cast { expr: inner, .. } = expr else { return false };
    match &**inner {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Str(_))) => true,
        Expr::Literal(LiteralValue::Scalar(scalar)) => *scalar.dtype() == DataType::String,
        _ => false,
    }
}

/// The value of a constant, if it is a date or a time.
fn value(constant: &Expr) -> Option<Expr> {
    let found = on_polars_thread(|| DataFrame::empty().lazy().select([constant.clone().alias("value")]).collect()).ok()?;
    let column = found.column("value").ok()?;
    if column.len() != 1 || column.null_count() > 0 || !column.dtype().is_temporal() {
        return None;
    }
    let value = column.get(0).ok()?.into_static();
    Some(Expr::Literal(LiteralValue::Scalar(Scalar::new(column.dtype().clone(), value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_cast_becomes_a_day() {
        let day = || lit("1970-01-03").cast(DataType::Date);
        let folded_day = Expr::Literal(LiteralValue::Scalar(Scalar::new(DataType::Date, AnyValue::Date(2))));
        assert_eq!(folded(day()), folded_day);
        assert_eq!(folded(col("d").gt(day()).and(col("x").lt(lit(3)))), col("d").gt(folded_day).and(col("x").lt(lit(3))));
        for unchanged in [lit("no day").cast(DataType::Date), lit("17").cast(DataType::Int64), col("t").cast(DataType::Date)] {
            assert_eq!(folded(unchanged.clone()), unchanged);
        }
    }
}
