//! Query 16: how many suppliers without complaints offer parts of certain sizes, brands and types.

use partita::prelude::*;

use super::{Tables, descending, one_of};

pub fn query(tables: &Tables) -> DFrame {
    let of_size = one_of(col("p_size"), [49i64, 14, 23, 45, 19, 3, 36, 9]);
    let of_type = col("p_type").str().starts_with(lit("MEDIUM POLISHED")).not();
    let parts = tables.part.filter(col("p_brand").neq(lit("Brand#45")).and(of_size).and(of_type));
    let complained = tables.supplier.filter(col("s_comment").str().contains(lit("Customer.*Complaints"), true));
    tables
        .partsupp
        .join(&parts, Join::inner(["ps_partkey"]).right_on(["p_partkey"]))
        .join(&complained, Join::anti(["ps_suppkey"]).right_on(["s_suppkey"]))
        .group_by(["p_brand", "p_type", "p_size"])
        .agg([col("ps_suppkey").n_unique().alias("supplier_cnt")])
        .sort_with(["supplier_cnt", "p_brand", "p_type", "p_size"], descending([true, false, false, false]))
}
