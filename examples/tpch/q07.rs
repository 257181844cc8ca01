//! Query 7: what France and Germany sold to each other in 1995 and 1996.

use partita::polars::prelude::ClosedInterval;
use partita::prelude::*;

use super::{Tables, date, one_of, volume};

pub fn query(tables: &Tables) -> DFrame {
    let both = tables.nation.filter(one_of(col("n_name"), ["FRANCE", "GERMANY"]));
    let nations = |name: &str| both.select([col("n_nationkey"), col("n_name").alias(name)]);
    let suppliers = tables.supplier.join(&nations("supp_nation"), Join::inner(["s_nationkey"]).right_on(["n_nationkey"]));
    let customers = tables.customer.join(&nations("cust_nation"), Join::inner(["c_nationkey"]).right_on(["n_nationkey"]));
    let orders = tables.orders.join(&customers, Join::inner(["o_custkey"]).right_on(["c_custkey"]));
    tables
        .lineitem
        .filter(col("l_shipdate").is_between(date("1995-01-01"), date("1996-12-31"), ClosedInterval::Both))
        .join(&suppliers, Join::inner(["l_suppkey"]).right_on(["s_suppkey"]))
        .join(&orders, Join::inner(["l_orderkey"]).right_on(["o_orderkey"]))
        .filter(col("supp_nation").neq(col("cust_nation")))
        .group_by([col("supp_nation"), col("cust_nation"), col("l_shipdate").dt().year().alias("l_year")])
        .agg([volume().sum().alias("revenue")])
        .sort(["supp_nation", "cust_nation", "l_year"])
}
