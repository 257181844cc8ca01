//! Query 9: what each nation earned with green parts, year by year.

use partita::prelude::*;

use super::{Tables, descending, volume};

pub fn query(tables: &Tables) -> DFrame {
    let green = tables.part.filter(col("p_name").str().contains_literal(lit("green")));
    let suppliers = tables.supplier.join(&tables.nation, Join::inner(["s_nationkey"]).right_on(["n_nationkey"]));
    let profit = volume() - col("ps_supplycost") * col("l_quantity");
    tables
        .lineitem
        .join(&green, Join::semi(["l_partkey"]).right_on(["p_partkey"]))
        .join(&tables.partsupp, Join::inner(["l_partkey", "l_suppkey"]).right_on(["ps_partkey", "ps_suppkey"]))
        .join(&suppliers, Join::inner(["l_suppkey"]).right_on(["s_suppkey"]))
        .join(&tables.orders, Join::inner(["l_orderkey"]).right_on(["o_orderkey"]))
        .group_by([col("n_name").alias("nation"), col("o_orderdate").dt().year().alias("o_year")])
        .agg([profit.sum().alias("sum_profit")])
        .sort_with(["nation", "o_year"], descending([false, true]))
}
