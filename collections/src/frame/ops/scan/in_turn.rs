//! The parts of a reader's predicate, in the order in which they are asked of rows: first what costs little and leaves few rows, because
//! the columns of the next part are decoded only for what is left.
//!
//! The order is that of Hellerstein and Stonebraker, "Predicate migration: optimizing queries with expensive predicates", SIGMOD 1993. It
//! refuses to change which rows pass: a predicate that can fail on some value stays in one piece, so that it fails whatever the order is.

use polars::prelude::*;

use crate::frame::can_fail::can_fail;
use crate::frame::expr::{Names, columns_of};
use crate::frame::selectivity::flatten;

/// What decoding and comparing a column costs, in columns of numbers: text is twice as wide as they are.
const TEXT: f64 = 2.0;
/// What is stored in several levels.
const NESTED: f64 = 8.0;

/// The parts, each with all that is asked of the same columns; `share` says which share of rows passes one.
pub(super) fn parts(predicate: &Expr, schema: &Schema, share: &dyn Fn(&Expr) -> f64) -> Vec<Expr> {
    let mut conjuncts = Vec::new();
    flatten(predicate, &mut conjuncts);
    let mut parts: Vec<(Names, Expr)> = Vec::new();
    for conjunct in conjuncts {
        let columns = columns_of(conjunct);
        match parts.iter_mut().find(|(known, _)| *known == columns) {
            Some((_, part)) => *part = part.clone().and(conjunct.clone()),
            None => parts.push((columns, conjunct.clone())),
        }
    }
    if parts.len() == 1 || can_fail(predicate, schema) || parts.iter().any(|(columns, _)| columns.is_empty()) {
        return vec![predicate.clone()];
    }
    let mut ranked: Vec<(f64, Expr)> = parts.into_iter().map(|(columns, part)| (rank(&columns, &part, schema, share), part)).collect();
    ranked.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    ranked.into_iter().map(|(_, part)| part).collect()
}

/// The cost of a part for each row that it takes away.
fn rank(columns: &Names, part: &Expr, schema: &Schema, share: &dyn Fn(&Expr) -> f64) -> f64 {
    let cost = |name: &PlSmallStr| match schema.get(name) {
        Some(DataType::String | DataType::Binary) => TEXT,
        Some(dtype) if dtype.is_nested() => NESTED,
        _ => 1.0,
    };
    columns.iter().map(cost).sum::<f64>() / (1.0 - share(part)).max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(predicate: &Expr, expected: &[Expr]) {
        let schema = Schema::from_iter(
            [("t", DataType::String), ("x", DataType::Int64), ("y", DataType::Int64)].map(|(name, dtype)| (PlSmallStr::from(name), dtype)),
        );
        // Of the rows of `y` three quarters pass, of all others a tenth.
        let share = |part: &Expr| if columns_of(part).contains("y") { 0.75 } else { 0.1 };
        assert_eq!(parts(predicate, &schema, &share), expected, "{predicate}");
    }

    #[test]
    fn cheap_and_strict_parts_come_first() {
        let (t, x, y) = (|| col("t").eq(lit("a")), || col("x").gt(lit(1)), || col("y").gt(lit(1)));
        let below = || col("x").lt(lit(9));
        check(&x(), &[x()]);
        check(&y().and(t()).and(x()), &[x(), t(), y()]);
        check(&x().and(t()).and(below()), &[x().and(below()), t()]);
        check(&col("x").lt(col("y")).and(t()), &[t(), col("x").lt(col("y"))]);
        check(&y().or(t()), &[y().or(t())]);
    }

    #[test]
    fn what_can_fail_and_what_asks_no_column_stay_in_one_piece() {
        let strict = col("t").strict_cast(DataType::Int64).gt(lit(1)).and(col("x").gt(lit(1)));
        check(&strict, std::slice::from_ref(&strict));
        let constant = col("x").gt(lit(1)).and(lit(true)).and(col("y").gt(lit(1)));
        check(&constant, std::slice::from_ref(&constant));
    }
}
