//! Query 20: the suppliers of Canada with more forest parts in stock than half of what was shipped of them in 1994.

use partita::prelude::*;

use super::{Tables, date};

pub fn query(tables: &Tables) -> DFrame {
    let forest = tables.part.filter(col("p_name").str().starts_with(lit("forest")));
    let half = tables
        .lineitem
        .filter(col("l_shipdate").gt_eq(date("1994-01-01")).and(col("l_shipdate").lt(date("1995-01-01"))))
        .join(&forest, Join::semi(["l_partkey"]).right_on(["p_partkey"]))
        .group_by(["l_partkey", "l_suppkey"])
        .agg([(lit(0.5) * col("l_quantity").sum()).alias("half")]);
    let plenty = tables
        .partsupp
        .join(&half, Join::inner(["ps_partkey", "ps_suppkey"]).right_on(["l_partkey", "l_suppkey"]))
        .filter(col("ps_availqty").gt(col("half")));
    let canada = tables.nation.filter(col("n_name").eq(lit("CANADA")));
    tables
        .supplier
        .join(&canada, Join::semi(["s_nationkey"]).right_on(["n_nationkey"]))
        .join(&plenty, Join::semi(["s_suppkey"]).right_on(["ps_suppkey"]))
        .select(["s_name", "s_address"])
        .sort(["s_name"])
}
