//! Query 13: how many customers have how many orders, those without any too.

use partita::prelude::*;

use super::{Tables, descending};

pub fn query(tables: &Tables) -> DFrame {
    let orders = tables.orders.filter(col("o_comment").str().contains(lit("special.*requests"), true).not());
    let counts = orders.group_by(["o_custkey"]).agg([len().alias("c_count")]);
    tables
        .customer
        .join(&counts, Join::left(["c_custkey"]).right_on(["o_custkey"]))
        .with_columns([col("c_count").fill_null(lit(0))])
        .group_by(["c_count"])
        .agg([len().alias("custdist")])
        .sort_with(["custdist", "c_count"], descending([true, true]))
}
