//! Query 21: the suppliers of Saudi Arabia who alone kept finished orders of several suppliers waiting.

use partita::prelude::*;

use super::{Tables, descending};

pub fn query(tables: &Tables) -> DFrame {
    let late = || col("l_receiptdate").gt(col("l_commitdate"));
    let finished = tables.orders.filter(col("o_orderstatus").eq(lit("F")));
    let arabia = tables.nation.filter(col("n_name").eq(lit("SAUDI ARABIA")));
    let suppliers = tables.supplier.join(&arabia, Join::semi(["s_nationkey"]).right_on(["n_nationkey"]));
    // Only these orders can count.
    let orders = tables
        .lineitem
        .filter(late())
        .join(&suppliers, Join::semi(["l_suppkey"]).right_on(["s_suppkey"]))
        .join(&finished, Join::semi(["l_orderkey"]).right_on(["o_orderkey"]));
    // Of each order the least and the greatest supplier, among all lines and among the late ones: several suppliers take part when those of
    // all lines differ, and one alone is late when those of the late lines are the same.
    let late_supplier = || when(late()).then(col("l_suppkey")).otherwise(lit(NULL));
    let waiting = tables
        .lineitem
        .join(&orders, Join::semi(["l_orderkey"]))
        .group_by(["l_orderkey"])
        .agg([
            col("l_suppkey").min().alias("least"),
            col("l_suppkey").max().alias("greatest"),
            late_supplier().min().alias("late"),
            late_supplier().max().alias("greatest_late"),
            late().sum().alias("lines"),
        ])
        .filter(col("least").neq(col("greatest")).and(col("late").eq(col("greatest_late"))));
    waiting
        .join(&suppliers, Join::inner(["late"]).right_on(["s_suppkey"]))
        .group_by(["s_name"])
        .agg([col("lines").sum().alias("numwait")])
        .sort_with(["numwait", "s_name"], descending([true, false]))
        .limit(100)
}
