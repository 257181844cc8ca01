//! The 22 TPC-H queries over eight lazy tables, each a function in a file of its own, with the parameters that the specification validates with.
//!
//! They refuse to know where the tables come from. The example, `partita tpch` and the tests all run these functions. Where the
//! specification writes a subquery, a query here says what is meant: a semi or anti join for `exists` and `in`, an aggregate that is joined
//! for a value that belongs to each row, one row that is joined to all for a single value.

mod q01;
mod q02;
mod q03;
mod q04;
mod q05;
mod q06;
mod q07;
mod q08;
mod q09;
mod q10;
mod q11;
mod q12;
mod q13;
mod q14;
mod q15;
mod q16;
mod q17;
mod q18;
mod q19;
mod q20;
mod q21;
mod q22;

use partita::polars::prelude::{PlSmallStr, Series};
use partita::prelude::*;

/// The eight tables. Keys and counts are whole numbers, prices and quantities floats, dates dates.
pub struct Tables {
    pub customer: DFrame,
    pub lineitem: DFrame,
    pub nation: DFrame,
    pub orders: DFrame,
    pub part: DFrame,
    pub partsupp: DFrame,
    pub region: DFrame,
    pub supplier: DFrame,
    /// The scale factor: 1 is 6 million rows of lineitem. Query 11 asks for a share that depends on it.
    pub scale: f64,
}

/// One of the queries.
pub struct Query {
    pub name: &'static str,
    pub plan: fn(&Tables) -> DFrame,
}

const fn named(name: &'static str, plan: fn(&Tables) -> DFrame) -> Query {
    Query { name, plan }
}

/// All of them; query 1 comes first.
pub const QUERIES: [Query; 22] = [
    named("pricing summary report", q01::query),
    named("minimum cost supplier", q02::query),
    named("shipping priority", q03::query),
    named("order priority checking", q04::query),
    named("local supplier volume", q05::query),
    named("forecasting revenue change", q06::query),
    named("volume shipping", q07::query),
    named("national market share", q08::query),
    named("product type profit", q09::query),
    named("returned item reporting", q10::query),
    named("important stock identification", q11::query),
    named("shipping modes and order priority", q12::query),
    named("customer distribution", q13::query),
    named("promotion effect", q14::query),
    named("top supplier", q15::query),
    named("parts and suppliers", q16::query),
    named("small-quantity orders", q17::query),
    named("large volume customers", q18::query),
    named("discounted revenue", q19::query),
    named("potential part promotion", q20::query),
    named("suppliers who kept orders waiting", q21::query),
    named("global sales opportunity", q22::query),
];

/// A day, such as `1994-01-31`.
fn date(day: &str) -> Expr {
    lit(day).cast(DataType::Date)
}

/// What a line costs after its discount.
fn volume() -> Expr {
    col("l_extendedprice") * (lit(1.0) - col("l_discount"))
}

/// Whether an expression is one of these values.
fn one_of<T, const N: usize>(expr: Expr, values: [T; N]) -> Expr
where
    Series: NamedFrom<[T; N], [T]>,
{
    expr.is_in(list(Series::new(PlSmallStr::EMPTY, values)), false)
}

/// All values as one list.
fn list(values: Series) -> Expr {
    lit(Series::new(PlSmallStr::EMPTY, [values]))
}

/// For each key whether it descends.
fn descending<const N: usize>(keys: [bool; N]) -> SortMultipleOptions {
    SortMultipleOptions::default().with_order_descending_multi(keys)
}
