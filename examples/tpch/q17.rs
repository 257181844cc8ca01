//! Query 17: what would be lost a year if small orders of certain parts were no longer taken.

use partita::prelude::*;

use super::Tables;

pub fn query(tables: &Tables) -> DFrame {
    let parts = tables.part.filter(col("p_brand").eq(lit("Brand#23")).and(col("p_container").eq(lit("MED BOX"))));
    let lines = tables.lineitem.join(&parts, Join::semi(["l_partkey"]).right_on(["p_partkey"]));
    let small = lines.group_by(["l_partkey"]).agg([(lit(0.2) * col("l_quantity").mean()).alias("small")]);
    lines
        .join(&small, Join::inner(["l_partkey"]))
        .filter(col("l_quantity").lt(col("small")))
        .agg([(col("l_extendedprice").sum() / lit(7.0)).alias("avg_yearly")])
}
