//! Query 10: the twenty customers whose returned goods of a quarter were worth most.

use partita::prelude::*;

use super::{Tables, date, volume};

pub fn query(tables: &Tables) -> DFrame {
    let orders = tables.orders.filter(col("o_orderdate").gt_eq(date("1993-10-01")).and(col("o_orderdate").lt(date("1994-01-01"))));
    let lost = tables
        .lineitem
        .filter(col("l_returnflag").eq(lit("R")))
        .join(&orders, Join::inner(["l_orderkey"]).right_on(["o_orderkey"]))
        .group_by(["o_custkey"])
        .agg([volume().sum().alias("revenue")])
        .top_k(20, ["revenue"]);
    tables
        .customer
        .join(&lost, Join::inner(["c_custkey"]).right_on(["o_custkey"]))
        .join(&tables.nation, Join::inner(["c_nationkey"]).right_on(["n_nationkey"]))
        .select(["c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone", "c_comment"])
        .top_k(20, ["revenue"])
}
