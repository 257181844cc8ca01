//! Parts that several expressions have in common, to be computed once.
//!
//! It refuses to know rows. Invariant: the expressions give what they gave, over a frame that has the parts as columns besides.

use polars::prelude::*;
use polars_plan::dsl::FunctionExpr;

/// Begins the names of columns that are parts; users cannot have such a name by accident.
const PREFIX: &str = "\u{1}part";

/// The parts in the order in which they must be computed, under names, and the expressions in terms of them.
pub(super) fn taken_apart(mut exprs: Vec<Expr>) -> (Vec<Expr>, Vec<Expr>) {
    let mut parts = Vec::new();
    while let Some(part) = repeated(&exprs) {
        let name = format!("{PREFIX}{}", parts.len());
        let stands_in = |expr: Expr| if expr == part { col(name.as_str()) } else { expr };
        exprs = exprs.into_iter().map(|expr| expr.map_expr(stands_in)).collect();
        parts.push(part.alias(name));
    }
    (parts, exprs)
}

/// The largest part that stands in several places.
fn repeated(exprs: &[Expr]) -> Option<Expr> {
    let mut found: Vec<(&Expr, usize)> = Vec::new();
    for part in exprs.iter().flat_map(|expr| expr.into_iter()).filter(|part| computes(part)) {
        match found.iter_mut().find(|(known, _)| *known == part) {
            Some((_, times)) => *times += 1,
            None => found.push((part, 1)),
        }
    }
    let several = found.into_iter().filter(|(_, times)| *times > 1).map(|(part, _)| part);
    several.max_by_key(|part| part.into_iter().count()).cloned()
}

/// Whether an expression is worth keeping the result of, and gives the same wherever it stands.
fn computes(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr { .. } | Expr::Ternary { .. } => has_a_type(expr),
        Expr::Cast { .. } => true,
        Expr::Function { function, .. } => {
            matches!(function, FunctionExpr::Boolean(_) | FunctionExpr::StringExpr(_) | FunctionExpr::TemporalExpr(_))
        }
        _ => false,
    }
}

/// Whether the type of the result stands by itself: one that is made of untyped literals alone takes the type of what it meets, and would
/// lose that as a column.
fn has_a_type(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Cast { .. } | Expr::Function { .. } => true,
        Expr::Alias(inner, _) => has_a_type(inner),
        Expr::BinaryExpr { left, op, right } => op.is_comparison() || has_a_type(left) || has_a_type(right),
        Expr::Ternary { truthy, falsy, .. } => has_a_type(truthy) || has_a_type(falsy),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(part: usize) -> String {
        format!("{PREFIX}{part}")
    }

    #[test]
    fn the_largest_common_part_is_computed_once() {
        let volume = || col("price") * (lit(1.0) - col("discount"));
        let taxed = |volume: Expr| volume * (lit(1.0) + col("tax"));
        let (parts, exprs) = taken_apart(vec![volume().alias("a"), taxed(volume()).alias("b"), (lit(1.0) - col("discount")).alias("c")]);
        assert_eq!(parts, [volume().alias(names(0))]);
        assert_eq!(exprs, [col(names(0)).alias("a"), taxed(col(names(0))).alias("b"), (lit(1.0) - col("discount")).alias("c")]);
    }

    #[test]
    fn parts_of_parts_come_in_order() {
        let sum = || col("a") + col("b");
        let product = || (sum() * sum()) * col("c");
        let (parts, exprs) = taken_apart(vec![product(), product(), sum()]);
        let frame = df!("a" => [1, 2], "b" => [3, 5], "c" => [2, 3]).expect("columns of one length").lazy();
        let parts = parts.into_iter().fold(frame.clone(), |frame, part| frame.with_columns([part]));
        let named = |exprs: Vec<Expr>| exprs.into_iter().zip(["x", "y", "z"]).map(|(expr, name)| expr.alias(name)).collect::<Vec<_>>();
        let found = parts.select(named(exprs)).collect().expect("numbers");
        assert_eq!(found, frame.select(named(vec![product(), product(), sum()])).collect().expect("numbers"));
    }

    #[test]
    fn what_has_no_type_of_its_own_stays() {
        let weight = || when(col("a").gt(lit(1))).then(lit(1.0)).otherwise(lit(0.0));
        let exprs = vec![col("b") * weight(), col("c") * weight()];
        let (parts, left) = taken_apart(exprs);
        // The comparison alone has one.
        assert_eq!(parts, [col("a").gt(lit(1)).alias(names(0))]);
        let weight = || when(col(names(0))).then(lit(1.0)).otherwise(lit(0.0));
        assert_eq!(left, [col("b") * weight(), col("c") * weight()]);
    }

    #[test]
    fn what_stands_once_and_what_costs_nothing_stay() {
        let exprs = vec![col("a") + lit(1), col("a") + lit(2), col("a")];
        assert_eq!(taken_apart(exprs.clone()), (Vec::new(), exprs));
    }
}
