//! Query 12: whether cheap ways of shipping delayed urgent orders.

use partita::prelude::*;

use super::{Tables, date, one_of};

pub fn query(tables: &Tables) -> DFrame {
    let shipped = one_of(col("l_shipmode"), ["MAIL", "SHIP"]);
    let late = col("l_commitdate").lt(col("l_receiptdate")).and(col("l_shipdate").lt(col("l_commitdate")));
    let in_1994 = col("l_receiptdate").gt_eq(date("1994-01-01")).and(col("l_receiptdate").lt(date("1995-01-01")));
    let high = || one_of(col("o_orderpriority"), ["1-URGENT", "2-HIGH"]);
    tables
        .lineitem
        .filter(in_1994.and(shipped).and(late))
        .join(&tables.orders, Join::inner(["l_orderkey"]).right_on(["o_orderkey"]))
        .group_by(["l_shipmode"])
        .agg([high().sum().alias("high_line_count"), high().not().sum().alias("low_line_count")])
        .sort(["l_shipmode"])
}
