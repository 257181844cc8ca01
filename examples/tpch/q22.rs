//! Query 22: customers of seven countries with more than the usual money and no orders.

use partita::prelude::*;

use super::{Tables, one_of};

pub fn query(tables: &Tables) -> DFrame {
    let country = col("c_phone").str().slice(lit(0), lit(2)).alias("cntrycode");
    let customers = tables
        .customer
        .select([col("c_custkey"), col("c_acctbal"), country])
        .filter(one_of(col("cntrycode"), ["13", "31", "23", "29", "30", "18", "17"]));
    let usual = customers.filter(col("c_acctbal").gt(lit(0.0))).agg([col("c_acctbal").mean().alias("usual")]);
    customers
        .join(&usual, Join::cross())
        .filter(col("c_acctbal").gt(col("usual")))
        .join(&tables.orders, Join::anti(["c_custkey"]).right_on(["o_custkey"]))
        .group_by(["cntrycode"])
        .agg([len().alias("numcust"), col("c_acctbal").sum().alias("totacctbal")])
        .sort(["cntrycode"])
}
