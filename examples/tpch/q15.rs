//! Query 15: the supplier who brought most in a quarter.

use partita::prelude::*;

use super::{Tables, date, volume};

pub fn query(tables: &Tables) -> DFrame {
    let revenue = tables
        .lineitem
        .filter(col("l_shipdate").gt_eq(date("1996-01-01")).and(col("l_shipdate").lt(date("1996-04-01"))))
        .group_by(["l_suppkey"])
        .agg([volume().sum().alias("total_revenue")]);
    let greatest = revenue.agg([col("total_revenue").max().alias("greatest")]);
    let best = revenue.join(&greatest, Join::cross()).filter(col("total_revenue").eq(col("greatest")));
    tables
        .supplier
        .join(&best, Join::inner(["s_suppkey"]).right_on(["l_suppkey"]))
        .select(["s_suppkey", "s_name", "s_address", "s_phone", "total_revenue"])
        .sort(["s_suppkey"])
}
