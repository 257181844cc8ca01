//! Query 3: the ten unshipped orders of the building segment that are worth most.

use partita::prelude::*;

use super::{Tables, date, descending, volume};

pub fn query(tables: &Tables) -> DFrame {
    let builders = tables.customer.filter(col("c_mktsegment").eq(lit("BUILDING")));
    let orders =
        tables.orders.filter(col("o_orderdate").lt(date("1995-03-15"))).join(&builders, Join::semi(["o_custkey"]).right_on(["c_custkey"]));
    tables
        .lineitem
        .filter(col("l_shipdate").gt(date("1995-03-15")))
        .join(&orders, Join::inner(["l_orderkey"]).right_on(["o_orderkey"]))
        .group_by(["l_orderkey", "o_orderdate", "o_shippriority"])
        .agg([volume().sum().alias("revenue")])
        .select(["l_orderkey", "revenue", "o_orderdate", "o_shippriority"])
        .sort_with(["revenue", "o_orderdate"], descending([true, false]))
        .limit(10)
}
