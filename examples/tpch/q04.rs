//! Query 4: how many orders of a quarter had a line that came too late, by priority.

use partita::prelude::*;

use super::{Tables, date};

pub fn query(tables: &Tables) -> DFrame {
    let late = tables.lineitem.filter(col("l_commitdate").lt(col("l_receiptdate")));
    tables
        .orders
        .filter(col("o_orderdate").gt_eq(date("1993-07-01")).and(col("o_orderdate").lt(date("1993-10-01"))))
        .join(&late, Join::semi(["o_orderkey"]).right_on(["l_orderkey"]))
        .group_by(["o_orderpriority"])
        .agg([len().alias("order_count")])
        .sort(["o_orderpriority"])
}
