//! Expressions are polars' own. This file says what the rest of the frame code asks of them: their columns, and what polars'
//! refusals mean in the user's words. Whether they work row by row is asked in [`super::row_by_row`].

use std::collections::BTreeSet;

use partita_graph::{Code, Failure, OpRef, Origin};
use polars::prelude::*;
use polars_plan::plans::prepare_projection;
use polars_plan::prelude::OptFlags;
use polars_plan::utils::{expr_output_name, expr_to_leaf_column_names_iter};

use super::constant::folded;
use super::length_of_time::check_lengths;
use super::row_by_row::check_repeatable;
pub(crate) use super::row_by_row::{check_row_by_row, is_row_by_row};

/// Something that stands for one column or expression: a name is a column.
pub trait IntoExpr {
    /// The expression.
    fn into_expr(self) -> Expr;
}

impl IntoExpr for &str {
    fn into_expr(self) -> Expr {
        col(self)
    }
}

impl IntoExpr for &&str {
    fn into_expr(self) -> Expr {
        col(*self)
    }
}

impl IntoExpr for String {
    fn into_expr(self) -> Expr {
        col(self.as_str())
    }
}

impl IntoExpr for &String {
    fn into_expr(self) -> Expr {
        col(self.as_str())
    }
}

impl IntoExpr for Expr {
    fn into_expr(self) -> Expr {
        self
    }
}

/// One or several columns or expressions: `"a"`, `["a", "b"]`, `[col("a") + lit(1)]`, a `Vec`, a slice.
pub trait IntoExprs {
    /// The expressions, in order.
    fn into_exprs(self) -> Vec<Expr>;
}

impl<T: IntoExpr, const N: usize> IntoExprs for [T; N] {
    fn into_exprs(self) -> Vec<Expr> {
        self.into_iter().map(IntoExpr::into_expr).collect()
    }
}

impl<T: IntoExpr> IntoExprs for Vec<T> {
    fn into_exprs(self) -> Vec<Expr> {
        self.into_iter().map(IntoExpr::into_expr).collect()
    }
}

impl<T: Clone + IntoExpr> IntoExprs for &[T] {
    fn into_exprs(self) -> Vec<Expr> {
        self.iter().cloned().map(IntoExpr::into_expr).collect()
    }
}

impl IntoExprs for &str {
    fn into_exprs(self) -> Vec<Expr> {
        vec![col(self)]
    }
}

impl IntoExprs for Expr {
    fn into_exprs(self) -> Vec<Expr> {
        vec![self]
    }
}

/// Names of columns.
pub(crate) type Names = BTreeSet<PlSmallStr>;

/// All columns that an expression reads. Selectors must be expanded first.
pub(crate) fn columns_of(expr: &Expr) -> Names {
    expr_to_leaf_column_names_iter(expr).collect()
}

/// The columns that several expressions read.
pub(crate) fn columns_of_all<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Names {
    exprs.into_iter().flat_map(columns_of).collect()
}

/// Fails with the nearest names when an expression reads a column that is not in the schema.
pub(crate) fn check_columns(exprs: &[Expr], schema: &Schema) -> Result<(), Failure> {
    for expr in exprs {
        for name in columns_of(expr) {
            if !schema.contains(&name) && name != "*" && !(name.starts_with('^') && name.ends_with('$')) {
                return Err(column_not_found(&name, schema));
            }
        }
    }
    Ok(())
}

/// The failure for a name that is not there.
pub(crate) fn column_not_found(name: &str, schema: &Schema) -> Failure {
    let names: Vec<&str> = schema.iter_names().map(|n| n.as_str()).collect();
    not_found_among(name, &names)
}

/// The same, where only names are known.
pub(crate) fn not_found_among(name: &str, names: &[&str]) -> Failure {
    let shown = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    let rest = if names.len() > 12 { format!(", … ({} in all)", names.len()) } else { String::new() };
    let failure = Failure::new(Code::ColumnNotFound, format!("column `{name}` does not exist"));
    let failure = failure.detail("columns", format!("{shown}{rest}"));
    match nearest(name, names) {
        Some(near) => failure.detail("did you mean", format!("`{near}`?")),
        None => failure,
    }
}

/// The name at the smallest edit distance, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let distance = |other: &str| edit_distance(&lower, &other.to_lowercase());
    let best = names.iter().map(|n| (distance(n), *n)).min()?;
    (best.0 <= 1 + name.chars().count() / 3).then_some(best.1)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Selectors and wildcards as the columns that they stand for.
pub(crate) fn expand(exprs: Vec<Expr>, schema: &Schema) -> Result<Vec<Expr>, Failure> {
    check_columns(&exprs, schema)?;
    let (expanded, _) = prepare_projection(exprs, schema, &mut OptFlags::default()).map_err(|e| polars_failure(e, Some(schema)))?;
    check_repeatable(&expanded, schema)?;
    check_lengths(&expanded)?;
    let named = expanded.into_iter().map(|expr| named(folded(expr), schema)).collect::<PolarsResult<_>>();
    named.map_err(|e| polars_failure(e, Some(schema)))
}

/// The expression under an explicit name where polars would find the name only later (`.name().keep()`).
fn named(expr: Expr, schema: &Schema) -> PolarsResult<Expr> {
    if expr_output_name(&expr).is_ok() {
        return Ok(expr);
    }
    let name = expr.to_field(schema)?.name().clone();
    let plain = expr.map_expr(|expr| match expr {
        Expr::KeepName(inner) => (*inner).clone(),
        other => other,
    });
    Ok(plain.alias(name))
}

/// The schema after a lazy step over a frame of this schema.
pub(crate) fn schema_after(schema: &Schema, step: impl FnOnce(LazyFrame) -> LazyFrame + Send) -> Result<SchemaRef, Failure> {
    let empty = DataFrame::empty_with_schema(schema).lazy();
    on_polars_thread(|| step(empty).collect_schema()).map_err(|e| polars_failure(e, Some(schema)))
}

/// Calls polars on one of its own threads. On the thread of a user's asynchronous runtime polars would refuse to block.
pub(crate) fn on_polars_thread<R: Send>(call: impl FnOnce() -> R + Send) -> R {
    polars_core::runtime::THREAD_POOL.install(call)
}

/// Those of the columns that are wanted, when they are fewer. One is left, because a frame without a column would lose its rows.
pub(crate) fn narrowed(columns: &[String], wanted: &Names) -> Option<Vec<String>> {
    let mut kept: Vec<String> = columns.iter().filter(|name| wanted.contains(name.as_str())).cloned().collect();
    if kept.is_empty() {
        kept.extend(columns.first().cloned());
    }
    (kept.len() < columns.len()).then_some(kept)
}

/// Column = column: an expression that only picks.
pub(crate) fn as_column(expr: &Expr) -> Option<&PlSmallStr> {
    match expr {
        Expr::Column(name) => Some(name),
        _ => None,
    }
}

/// What polars refuses, as a failure.
pub(crate) fn polars_failure(error: PolarsError, schema: Option<&Schema>) -> Failure {
    match (root(&error), schema) {
        (PolarsError::ColumnNotFound(name), Some(schema)) => column_not_found(first_word(name), schema),
        (PolarsError::Duplicate(text), _) => Failure::new(Code::DuplicateColumn, first_line(text)),
        (PolarsError::InvalidOperation(text) | PolarsError::SchemaMismatch(text), _) => Failure::new(Code::TypeMismatch, first_line(text)),
        (other, _) => Failure::new(Code::TypeMismatch, first_line(&other.to_string())),
    }
}

/// The error itself, without what polars says about where it was found.
fn root(error: &PolarsError) -> &PolarsError {
    match error {
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => root(error),
        other => other,
    }
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start_matches(['"', '`']);
    text.split(['"', '`', '\n']).next().unwrap_or(text)
}

fn first_line(text: &str) -> String {
    text.split("\n\n").next().unwrap_or_default().trim().to_string()
}

/// An operator that holds expressions: portable unless one of them is a closure of the user's.
pub(crate) fn expr_op<O: partita_graph::NamedOperator>(operator: O, label: String, token: u64) -> OpRef {
    // Polars panics on expressions that it never meant to send; they are closures for us.
    let portable = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| postcard::to_stdvec(&operator).is_ok()));
    match portable {
        Ok(true) => OpRef::new(operator, label),
        _ => {
            let mut op = OpRef::closure(O::NAME, token, move |ctx, inputs| operator.run(ctx, inputs));
            op.label = label.into();
            op
        }
    }
}

/// A place that is attached to every failure of a step.
pub(crate) fn located<T>(result: Result<T, Failure>, origin: &Origin) -> Result<T, Failure> {
    result.map_err(|failure| failure.origin(Some(origin)))
}

/// Expressions as plans show them.
pub(crate) fn show(exprs: &[Expr]) -> String {
    exprs.iter().map(show_one).collect::<Vec<_>>().join(", ")
}

/// One expression as plans show it: a column by its bare name, text in single quotes.
pub(crate) fn show_one(expr: &Expr) -> String {
    let text = format!("{expr:?}");
    let mut pieces = text.split("col(\"");
    let mut shown = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("\")").unwrap_or((piece, ""));
        shown.push_str(name);
        shown.push_str(rest);
    }
    shown.replace('"', "'")
}
