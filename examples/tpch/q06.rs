//! Query 6: how much more 1994 would have brought without small discounts on small quantities.

use partita::polars::prelude::ClosedInterval;
use partita::prelude::*;

use super::{Tables, date};

pub fn query(tables: &Tables) -> DFrame {
    let in_1994 = col("l_shipdate").gt_eq(date("1994-01-01")).and(col("l_shipdate").lt(date("1995-01-01")));
    let discounted = col("l_discount").is_between(lit(0.05), lit(0.07), ClosedInterval::Both);
    tables
        .lineitem
        .filter(in_1994.and(discounted).and(col("l_quantity").lt(lit(24))))
        .agg([(col("l_extendedprice") * col("l_discount")).sum().alias("revenue")])
}
