//! Query 18: the hundred largest orders of more than 300 pieces, with their customers.

use partita::prelude::*;

use super::{Tables, descending};

pub fn query(tables: &Tables) -> DFrame {
    let pieces = tables.lineitem.group_by(["l_orderkey"]).agg([col("l_quantity").sum().alias("sum_quantity")]);
    let large = pieces.filter(col("sum_quantity").gt(lit(300)));
    tables
        .orders
        .join(&large, Join::inner(["o_orderkey"]).right_on(["l_orderkey"]))
        .join(&tables.customer, Join::inner(["o_custkey"]).right_on(["c_custkey"]))
        .rename([("o_custkey", "c_custkey")])
        .select(["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "sum_quantity"])
        .sort_with(["o_totalprice", "o_orderdate"], descending([true, false]))
        .limit(100)
}
