//! Query 2: which supplier of Europe sells brass parts of size 15 cheapest.

use partita::prelude::*;

use super::{Tables, descending};

pub fn query(tables: &Tables) -> DFrame {
    let europe = tables.region.filter(col("r_name").eq(lit("EUROPE")));
    let nations = tables.nation.join(&europe, Join::semi(["n_regionkey"]).right_on(["r_regionkey"]));
    let suppliers = tables.supplier.join(&nations, Join::inner(["s_nationkey"]).right_on(["n_nationkey"]));
    let brass = tables.part.filter(col("p_size").eq(lit(15)).and(col("p_type").str().ends_with(lit("BRASS"))));
    let offers = tables
        .partsupp
        .join(&brass, Join::inner(["ps_partkey"]).right_on(["p_partkey"]))
        .join(&suppliers, Join::inner(["ps_suppkey"]).right_on(["s_suppkey"]));
    let least = offers.group_by(["ps_partkey"]).agg([col("ps_supplycost").min()]);
    offers
        .join(&least, Join::semi(["ps_partkey", "ps_supplycost"]))
        .rename([("ps_partkey", "p_partkey")])
        .select(["s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment"])
        .sort_with(["s_acctbal", "n_name", "s_name", "p_partkey"], descending([true, false, false, false]))
        .limit(100)
}
