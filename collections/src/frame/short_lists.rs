//! `is_in` of a few values as comparisons: polars hashes each value of the column for it, and compares whole columns several times as fast.
//!
//! It refuses lists in which null, or the sign of a zero, could make a difference. Plans keep what the user wrote; only what tasks run is spelled out.

use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, FunctionExpr};
use polars_plan::plans::LiteralValue;

/// Longer lists are hashed.
const SHORT: usize = 8;

/// The predicate over rows of this schema with short lists spelled out.
pub(crate) fn spelled_out(predicate: Expr, schema: &Schema) -> Expr {
    let is_list = |expr: &Expr| matches!(expr, Expr::Function { function: FunctionExpr::Boolean(BooleanFunction::IsIn { .. }), .. });
    if !(&predicate).into_iter().any(is_list) {
        return predicate;
    }
    predicate.map_expr(|expr| compared(&expr, schema).unwrap_or(expr))
}

fn compared(expr: &Expr, schema: &Schema) -> Option<Expr> {
    let Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsIn { nulls_equal: false }) } = expr else { return None };
    let [Expr::Column(name), Expr::Literal(LiteralValue::Series(list))] = &input[..] else { return None };
    let lists = list.list().ok().filter(|lists| lists.len() == 1)?;
    let values = lists.get_as_series(0)?;
    let dtype = schema.get(name)?;
    let plain = *dtype == DataType::String || dtype.is_integer() || *dtype == DataType::Date;
    if !plain || values.dtype() != dtype || values.null_count() > 0 || values.is_empty() || values.len() > SHORT {
        return None;
    }
    let value = |at: usize| Some(Scalar::new(dtype.clone(), values.get(at).ok()?.into_static()));
    let equal = |at: usize| Some(col(name.clone()).eq(Expr::Literal(LiteralValue::Scalar(value(at)?))));
    (1..values.len()).try_fold(equal(0)?, |any, at| Some(any.or(equal(at)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spelled_out_says_the_same() {
        let frame = df!(
            "t" => [Some("a"), None, Some("b"), Some("a longer text than fits")],
            "k" => [Some(1i64), Some(2), None, Some(3)],
            "x" => [0.0, -0.0, f64::NAN, 1.0]
        );
        let frame = frame.expect("columns of one length");
        let list = |values: Series| lit(Series::new(PlSmallStr::EMPTY, [values]));
        let texts = |values: &[Option<&str>]| list(Series::new(PlSmallStr::EMPTY, values));
        let numbers = |values: &[i64]| list(Series::new(PlSmallStr::EMPTY, values));
        let cases = [
            (col("t").is_in(texts(&[Some("a"), Some("a longer text than fits")]), false), true),
            (col("t").is_in(texts(&[Some("a")]), false).not().or(col("k").is_in(numbers(&[3, 1]), false)), true),
            (col("t").is_in(texts(&[Some("a"), None]), false), false),
            (col("t").is_in(texts(&[Some("a")]), true), false),
            (col("k").is_in(numbers(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), false), false),
            (col("k").is_in(numbers(&[]), false), false),
            (col("k").cast(DataType::Int32).is_in(numbers(&[1]), false), false),
            (col("x").is_in(list(Series::new(PlSmallStr::EMPTY, [0.0])), false), false),
        ];
        for (predicate, changes) in cases {
            let spelled = spelled_out(predicate.clone(), frame.schema());
            assert_eq!(spelled != predicate, changes, "{predicate}");
            let of = |expr: &Expr| frame.clone().lazy().select([expr.clone().alias("found")]).collect().expect("it fits");
            assert!(of(&spelled).equals_missing(&of(&predicate)), "{predicate}");
        }
    }
}
