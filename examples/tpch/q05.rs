//! Query 5: what suppliers of Asia sold to customers of their own nation in 1994.

use partita::prelude::*;

use super::{Tables, date, descending, volume};

pub fn query(tables: &Tables) -> DFrame {
    let asia = tables.region.filter(col("r_name").eq(lit("ASIA")));
    let nations = tables.nation.join(&asia, Join::semi(["n_regionkey"]).right_on(["r_regionkey"]));
    let customers = tables.customer.join(&nations, Join::inner(["c_nationkey"]).right_on(["n_nationkey"]));
    let orders = tables
        .orders
        .filter(col("o_orderdate").gt_eq(date("1994-01-01")).and(col("o_orderdate").lt(date("1995-01-01"))))
        .join(&customers, Join::inner(["o_custkey"]).right_on(["c_custkey"]));
    tables
        .lineitem
        .join(&orders, Join::inner(["l_orderkey"]).right_on(["o_orderkey"]))
        .join(&tables.supplier, Join::semi(["l_suppkey", "c_nationkey"]).right_on(["s_suppkey", "s_nationkey"]))
        .group_by(["n_name"])
        .agg([volume().sum().alias("revenue")])
        .sort_with(["revenue"], descending([true]))
}
