//! Query 14: the share of promoted parts in the revenue of a month.

use partita::prelude::*;

use super::{Tables, date, volume};

pub fn query(tables: &Tables) -> DFrame {
    let promoted = when(col("p_type").str().starts_with(lit("PROMO"))).then(volume()).otherwise(lit(0.0));
    tables
        .lineitem
        .filter(col("l_shipdate").gt_eq(date("1995-09-01")).and(col("l_shipdate").lt(date("1995-10-01"))))
        .join(&tables.part, Join::inner(["l_partkey"]).right_on(["p_partkey"]))
        .agg([(lit(100.0) * promoted.sum() / volume().sum()).alias("promo_revenue")])
}
