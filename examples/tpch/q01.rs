//! Query 1: what was billed, shipped and returned up to 90 days before the last day.

use partita::prelude::*;

use super::{Tables, date, volume};

pub fn query(tables: &Tables) -> DFrame {
    let lines = tables.lineitem.filter(col("l_shipdate").lt_eq(date("1998-09-02")));
    let sums = lines.group_by(["l_returnflag", "l_linestatus"]).agg([
        col("l_quantity").sum().alias("sum_qty"),
        col("l_extendedprice").sum().alias("sum_base_price"),
        volume().sum().alias("sum_disc_price"),
        (volume() * (lit(1.0) + col("l_tax"))).sum().alias("sum_charge"),
        col("l_quantity").mean().alias("avg_qty"),
        col("l_extendedprice").mean().alias("avg_price"),
        col("l_discount").mean().alias("avg_disc"),
        len().alias("count_order"),
    ]);
    sums.sort(["l_returnflag", "l_linestatus"])
}
