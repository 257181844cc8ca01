//! Query 8: the share of Brazil in what America spent on economy anodized steel.

use partita::polars::prelude::ClosedInterval;
use partita::prelude::*;

use super::{Tables, date, volume};

pub fn query(tables: &Tables) -> DFrame {
    let america = tables.region.filter(col("r_name").eq(lit("AMERICA")));
    let nations = tables.nation.join(&america, Join::semi(["n_regionkey"]).right_on(["r_regionkey"]));
    let customers = tables.customer.join(&nations, Join::semi(["c_nationkey"]).right_on(["n_nationkey"]));
    let orders = tables
        .orders
        .filter(col("o_orderdate").is_between(date("1995-01-01"), date("1996-12-31"), ClosedInterval::Both))
        .join(&customers, Join::semi(["o_custkey"]).right_on(["c_custkey"]));
    let steel = tables.part.filter(col("p_type").eq(lit("ECONOMY ANODIZED STEEL")));
    let suppliers = tables.supplier.join(&tables.nation, Join::inner(["s_nationkey"]).right_on(["n_nationkey"]));
    let of_brazil = when(col("n_name").eq(lit("BRAZIL"))).then(volume()).otherwise(lit(0.0));
    tables
        .lineitem
        .join(&steel, Join::semi(["l_partkey"]).right_on(["p_partkey"]))
        .join(&orders, Join::inner(["l_orderkey"]).right_on(["o_orderkey"]))
        .join(&suppliers, Join::inner(["l_suppkey"]).right_on(["s_suppkey"]))
        .group_by([col("o_orderdate").dt().year().alias("o_year")])
        .agg([(of_brazil.sum() / volume().sum()).alias("mkt_share")])
        .sort(["o_year"])
}
