//! Expressions that look at other rows, across the borders of partitions: `shift`, `diff`, `rolling_…`, `cum_…`, fills and `over`.
//!
//! Such parts of an expression are taken out of it ([`lift`]), and each becomes a column made by a step that brings together the rows that
//! it looks at: some before and after ([`nearby`], [`by_time`]), all before ([`running`]), all with the same keys ([`window`]). What is
//! left of the expression looks at one row at a time. Invariant: rows keep their order and their partitions, and values are those that
//! polars computes of the whole.

pub(crate) mod borders;
pub(crate) mod by_time;
mod lift;
pub(crate) mod nearby;
pub(crate) mod running;
pub(crate) mod window;

use partita_graph::Failure;
use polars::prelude::{Column, DataFrame, DataType, Expr, PlSmallStr, PolarsResult, Schema, SchemaRef};
use polars_plan::utils::expr_output_name;

use super::expr::{Names, check_columns, columns_of_all, schema_after};

pub(crate) use lift::lift;

/// Columns on the way begin with this. Users cannot have such a name by accident.
const PREFIX: &str = "\u{1}x";

/// Whether a column is one on the way.
pub(crate) fn is_on_the_way(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The name of an expression's column.
fn name_of(expr: &Expr) -> PlSmallStr {
    expr_output_name(expr).unwrap_or_default()
}

/// The schema of a frame with these columns added.
fn schema_with(input: &SchemaRef, exprs: &[Expr]) -> Result<SchemaRef, Failure> {
    check_columns(exprs, input)?;
    schema_after(input, |frame| frame.with_columns(exprs))
}

/// The columns of the input that are wanted of the result, and those that the expressions read.
fn needs_of(wanted: &Names, input: &Schema, exprs: &[Expr]) -> Names {
    let passed: Names = wanted.iter().filter(|name| input.contains(name)).cloned().collect();
    passed.union(&columns_of_all(exprs)).cloned().collect()
}

/// The expressions whose columns are wanted, if they are fewer.
fn fewer(exprs: &[Expr], wanted: &Names) -> Option<Vec<Expr>> {
    let kept: Vec<Expr> = exprs.iter().filter(|expr| wanted.contains(&name_of(expr))).cloned().collect();
    (kept.len() < exprs.len()).then_some(kept)
}

/// The names of the columns that expressions read.
fn read_by(exprs: &[Expr]) -> Vec<String> {
    columns_of_all(exprs).iter().map(|name| name.to_string()).collect()
}

/// The numeric types that the columns of expressions have in a schema.
fn types_of(exprs: &[Expr], schema: &Schema) -> Vec<Option<DataType>> {
    exprs.iter().map(|expr| schema.get(&name_of(expr)).filter(|dtype| dtype.is_primitive_numeric()).cloned()).collect()
}

/// Columns of these types. Polars gives some of no rows another: ranks have that of what is ranked.
fn of_types(columns: &DataFrame, types: &[Option<DataType>]) -> PolarsResult<Vec<Column>> {
    let typed = |(column, dtype): (&Column, &Option<DataType>)| match dtype {
        Some(dtype) if column.is_empty() && column.dtype() != dtype => column.cast(dtype),
        _ => Ok(column.clone()),
    };
    columns.columns().iter().zip(types).map(typed).collect()
}

/// The schema of what the expressions give over this input.
fn schema_of(input: &SchemaRef, exprs: &[Expr]) -> Result<SchemaRef, Failure> {
    schema_after(input, |frame| frame.select(exprs))
}
