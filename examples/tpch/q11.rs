//! Query 11: the parts in which most of Germany's stock lies.

use partita::prelude::*;

use super::{Tables, descending};

pub fn query(tables: &Tables) -> DFrame {
    let germany = tables.nation.filter(col("n_name").eq(lit("GERMANY")));
    let suppliers = tables.supplier.join(&germany, Join::semi(["s_nationkey"]).right_on(["n_nationkey"]));
    let stock = tables.partsupp.join(&suppliers, Join::semi(["ps_suppkey"]).right_on(["s_suppkey"]));
    let value = (col("ps_supplycost") * col("ps_availqty")).sum();
    let total = stock.agg([value.clone().alias("total")]);
    stock
        .group_by(["ps_partkey"])
        .agg([value.alias("value")])
        .join(&total, Join::cross())
        .filter(col("value").gt(col("total") * lit(0.0001 / tables.scale)))
        .select(["ps_partkey", "value"])
        .sort_with(["value"], descending([true]))
}
