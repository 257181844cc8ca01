//! Query 19: the revenue of parts of three brands that were sent by air, each with its own sizes, containers and quantities.

use partita::polars::prelude::ClosedInterval::Both;
use partita::prelude::*;

use super::{Tables, one_of, volume};

pub fn query(tables: &Tables) -> DFrame {
    let part = |brand: &str, containers: [&str; 4], largest: i64| {
        col("p_brand").eq(lit(brand)).and(one_of(col("p_container"), containers)).and(col("p_size").is_between(lit(1), lit(largest), Both))
    };
    let small = part("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 5);
    let medium = part("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10);
    let large = part("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 15);
    let parts = tables.part.filter(small.or(medium).or(large));
    let by_air = one_of(col("l_shipmode"), ["AIR", "AIR REG"]).and(col("l_shipinstruct").eq(lit("DELIVER IN PERSON")));
    let quantity = |least: i64| col("l_quantity").is_between(lit(least), lit(least + 10), Both);
    let fits = |brand: &str, least: i64| col("p_brand").eq(lit(brand)).and(quantity(least));
    tables
        .lineitem
        .filter(by_air.and(col("l_quantity").is_between(lit(1), lit(30), Both)))
        .join(&parts, Join::inner(["l_partkey"]).right_on(["p_partkey"]))
        .filter(fits("Brand#12", 1).or(fits("Brand#23", 10)).or(fits("Brand#34", 20)))
        .agg([volume().sum().alias("revenue")])
}
