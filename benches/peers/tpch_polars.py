"""The 22 TPC-H queries for polars, lazily, as its users write them. `query(t, number, scale)` with `t.lineitem`, ... as lazy frames.

Polars' SQL turns tables that are listed with commas into cross joins and knows no correlated subqueries, so SQL would not show what it can.
What examples/tpch does by hand (13 groups before it joins, 19 filters both tables first, 21 groups only the orders that can count) is done here too.
"""

from datetime import date

import polars as pl

c = pl.col


def volume() -> pl.Expr:
    return c("l_extendedprice") * (1 - c("l_discount"))


def between(name: str, start: date, end: date) -> pl.Expr:
    """From a day on, and before another."""
    return (c(name) >= start) & (c(name) < end)


def nations_of(t, region: str):
    regions = t.region.filter(c("r_name") == region)
    return t.nation.join(regions, left_on="n_regionkey", right_on="r_regionkey", how="semi")


def q1(t, scale):
    return (
        t.lineitem.filter(c("l_shipdate") <= date(1998, 9, 2))
        .group_by("l_returnflag", "l_linestatus")
        .agg(
            c("l_quantity").sum().alias("sum_qty"), c("l_extendedprice").sum().alias("sum_base_price"),
            volume().sum().alias("sum_disc_price"), (volume() * (1 + c("l_tax"))).sum().alias("sum_charge"),
            c("l_quantity").mean().alias("avg_qty"), c("l_extendedprice").mean().alias("avg_price"),
            c("l_discount").mean().alias("avg_disc"), pl.len().alias("count_order"),
        )
        .sort("l_returnflag", "l_linestatus")
    )


def q2(t, scale):
    suppliers = t.supplier.join(nations_of(t, "EUROPE"), left_on="s_nationkey", right_on="n_nationkey")
    brass = t.part.filter((c("p_size") == 15) & c("p_type").str.ends_with("BRASS"))
    offers = brass.join(t.partsupp, left_on="p_partkey", right_on="ps_partkey").join(suppliers, left_on="ps_suppkey", right_on="s_suppkey")
    least = offers.group_by("p_partkey").agg(c("ps_supplycost").min())
    return (
        offers.join(least, on=["p_partkey", "ps_supplycost"], how="semi")
        .select("s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment")
        .sort("s_acctbal", "n_name", "s_name", "p_partkey", descending=[True, False, False, False]).head(100)
    )


def q3(t, scale):
    customers = t.customer.filter(c("c_mktsegment") == "BUILDING")
    orders = t.orders.filter(c("o_orderdate") < date(1995, 3, 15))
    return (
        customers.join(orders, left_on="c_custkey", right_on="o_custkey")
        .join(t.lineitem.filter(c("l_shipdate") > date(1995, 3, 15)), left_on="o_orderkey", right_on="l_orderkey")
        .group_by("o_orderkey", "o_orderdate", "o_shippriority").agg(volume().sum().alias("revenue"))
        .select(c("o_orderkey").alias("l_orderkey"), "revenue", "o_orderdate", "o_shippriority")
        .sort("revenue", "o_orderdate", descending=[True, False]).head(10)
    )


def q4(t, scale):
    late = t.lineitem.filter(c("l_commitdate") < c("l_receiptdate"))
    return (
        t.orders.filter(between("o_orderdate", date(1993, 7, 1), date(1993, 10, 1)))
        .join(late, left_on="o_orderkey", right_on="l_orderkey", how="semi")
        .group_by("o_orderpriority").agg(pl.len().alias("order_count")).sort("o_orderpriority")
    )


def q5(t, scale):
    return (
        nations_of(t, "ASIA").join(t.customer, left_on="n_nationkey", right_on="c_nationkey")
        .join(t.orders.filter(between("o_orderdate", date(1994, 1, 1), date(1995, 1, 1))), left_on="c_custkey", right_on="o_custkey")
        .join(t.lineitem, left_on="o_orderkey", right_on="l_orderkey")
        .join(t.supplier, left_on=["l_suppkey", "n_nationkey"], right_on=["s_suppkey", "s_nationkey"])
        .group_by("n_name").agg(volume().sum().alias("revenue")).sort("revenue", descending=True)
    )


def q6(t, scale):
    fits = between("l_shipdate", date(1994, 1, 1), date(1995, 1, 1)) & c("l_discount").is_between(0.05, 0.07) & (c("l_quantity") < 24)
    return t.lineitem.filter(fits).select((c("l_extendedprice") * c("l_discount")).sum().alias("revenue"))


def q7(t, scale):
    both = t.nation.filter(c("n_name").is_in(["FRANCE", "GERMANY"]))
    suppliers = both.join(t.supplier, left_on="n_nationkey", right_on="s_nationkey").select("s_suppkey", c("n_name").alias("supp_nation"))
    customers = both.join(t.customer, left_on="n_nationkey", right_on="c_nationkey").select("c_custkey", c("n_name").alias("cust_nation"))
    return (
        customers.join(t.orders, left_on="c_custkey", right_on="o_custkey")
        .join(t.lineitem.filter(c("l_shipdate").is_between(date(1995, 1, 1), date(1996, 12, 31))), left_on="o_orderkey", right_on="l_orderkey")
        .join(suppliers, left_on="l_suppkey", right_on="s_suppkey").filter(c("supp_nation") != c("cust_nation"))
        .group_by("supp_nation", "cust_nation", c("l_shipdate").dt.year().alias("l_year")).agg(volume().sum().alias("revenue"))
        .sort("supp_nation", "cust_nation", "l_year")
    )


def q8(t, scale):
    suppliers = t.supplier.join(t.nation, left_on="s_nationkey", right_on="n_nationkey").select("s_suppkey", "n_name")
    customers = t.customer.join(nations_of(t, "AMERICA"), left_on="c_nationkey", right_on="n_nationkey", how="semi")
    brazil = pl.when(c("n_name") == "BRAZIL").then(volume()).otherwise(0.0)
    return (
        t.part.filter(c("p_type") == "ECONOMY ANODIZED STEEL").join(t.lineitem, left_on="p_partkey", right_on="l_partkey")
        .join(t.orders.filter(c("o_orderdate").is_between(date(1995, 1, 1), date(1996, 12, 31))), left_on="l_orderkey", right_on="o_orderkey")
        .join(customers, left_on="o_custkey", right_on="c_custkey", how="semi")
        .join(suppliers, left_on="l_suppkey", right_on="s_suppkey")
        .group_by(c("o_orderdate").dt.year().alias("o_year")).agg((brazil.sum() / volume().sum()).alias("mkt_share")).sort("o_year")
    )


def q9(t, scale):
    suppliers = t.supplier.join(t.nation, left_on="s_nationkey", right_on="n_nationkey").select("s_suppkey", "n_name")
    amount = volume() - c("ps_supplycost") * c("l_quantity")
    return (
        t.part.filter(c("p_name").str.contains("green", literal=True)).join(t.partsupp, left_on="p_partkey", right_on="ps_partkey")
        .join(suppliers, left_on="ps_suppkey", right_on="s_suppkey")
        .join(t.lineitem, left_on=["p_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"])
        .join(t.orders, left_on="l_orderkey", right_on="o_orderkey")
        .group_by(c("n_name").alias("nation"), c("o_orderdate").dt.year().alias("o_year")).agg(amount.sum().alias("sum_profit"))
        .sort("nation", "o_year", descending=[False, True])
    )


def q10(t, scale):
    return (
        t.customer.join(t.orders.filter(between("o_orderdate", date(1993, 10, 1), date(1994, 1, 1))), left_on="c_custkey", right_on="o_custkey")
        .join(t.lineitem.filter(c("l_returnflag") == "R"), left_on="o_orderkey", right_on="l_orderkey")
        .join(t.nation, left_on="c_nationkey", right_on="n_nationkey")
        .group_by("c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment").agg(volume().sum().alias("revenue"))
        .select("c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone", "c_comment")
        .sort("revenue", descending=True).head(20)
    )


def q11(t, scale):
    stock = (
        t.partsupp.join(t.supplier, left_on="ps_suppkey", right_on="s_suppkey")
        .join(t.nation.filter(c("n_name") == "GERMANY"), left_on="s_nationkey", right_on="n_nationkey")
    )
    value = (c("ps_supplycost") * c("ps_availqty")).sum()
    return (
        stock.group_by("ps_partkey").agg(value.alias("value")).join(stock.select(value.alias("total")), how="cross")
        .filter(c("value") > c("total") * (0.0001 / scale)).select("ps_partkey", "value").sort("value", descending=True)
    )


def q12(t, scale):
    fits = (
        c("l_shipmode").is_in(["MAIL", "SHIP"]) & (c("l_commitdate") < c("l_receiptdate")) & (c("l_shipdate") < c("l_commitdate"))
        & between("l_receiptdate", date(1994, 1, 1), date(1995, 1, 1))
    )
    high = c("o_orderpriority").is_in(["1-URGENT", "2-HIGH"])
    return (
        t.orders.join(t.lineitem.filter(fits), left_on="o_orderkey", right_on="l_orderkey")
        .group_by("l_shipmode").agg(high.sum().alias("high_line_count"), high.not_().sum().alias("low_line_count")).sort("l_shipmode")
    )


def q13(t, scale):
    orders = t.orders.filter(~c("o_comment").str.contains("special.*requests"))
    counts = orders.group_by("o_custkey").agg(pl.len().alias("c_count"))
    return (
        t.customer.join(counts, left_on="c_custkey", right_on="o_custkey", how="left").with_columns(c("c_count").fill_null(0))
        .group_by("c_count").agg(pl.len().alias("custdist")).sort("custdist", "c_count", descending=[True, True])
    )


def q14(t, scale):
    promoted = pl.when(c("p_type").str.starts_with("PROMO")).then(volume()).otherwise(0.0)
    return (
        t.lineitem.filter(between("l_shipdate", date(1995, 9, 1), date(1995, 10, 1)))
        .join(t.part, left_on="l_partkey", right_on="p_partkey")
        .select((100.0 * promoted.sum() / volume().sum()).alias("promo_revenue"))
    )


def q15(t, scale):
    revenue = (
        t.lineitem.filter(between("l_shipdate", date(1996, 1, 1), date(1996, 4, 1)))
        .group_by("l_suppkey").agg(volume().sum().alias("total_revenue"))
    )
    best = revenue.filter(c("total_revenue") > c("total_revenue").max() - 0.00005)
    return (
        t.supplier.join(best, left_on="s_suppkey", right_on="l_suppkey")
        .select("s_suppkey", "s_name", "s_address", "s_phone", "total_revenue").sort("s_suppkey")
    )


def q16(t, scale):
    parts = t.part.filter(
        (c("p_brand") != "Brand#45") & ~c("p_type").str.starts_with("MEDIUM POLISHED") & c("p_size").is_in([49, 14, 23, 45, 19, 3, 36, 9])
    )
    complained = t.supplier.filter(c("s_comment").str.contains("Customer.*Complaints"))
    return (
        parts.join(t.partsupp, left_on="p_partkey", right_on="ps_partkey")
        .join(complained, left_on="ps_suppkey", right_on="s_suppkey", how="anti")
        .group_by("p_brand", "p_type", "p_size").agg(c("ps_suppkey").n_unique().alias("supplier_cnt"))
        .sort("supplier_cnt", "p_brand", "p_type", "p_size", descending=[True, False, False, False])
    )


def q17(t, scale):
    parts = t.part.filter((c("p_brand") == "Brand#23") & (c("p_container") == "MED BOX"))
    lines = t.lineitem.join(parts, left_on="l_partkey", right_on="p_partkey", how="semi")
    small = lines.group_by("l_partkey").agg((0.2 * c("l_quantity").mean()).alias("small"))
    return (
        lines.join(small, on="l_partkey").filter(c("l_quantity") < c("small"))
        .select((c("l_extendedprice").sum() / 7.0).alias("avg_yearly"))
    )


def q18(t, scale):
    large = t.lineitem.group_by("l_orderkey").agg(c("l_quantity").sum().alias("sum_quantity")).filter(c("sum_quantity") > 300)
    return (
        t.orders.join(large, left_on="o_orderkey", right_on="l_orderkey")
        .join(t.customer, left_on="o_custkey", right_on="c_custkey")
        .select("c_name", c("o_custkey").alias("c_custkey"), "o_orderkey", "o_orderdate", "o_totalprice", "sum_quantity")
        .sort("o_totalprice", "o_orderdate", descending=[True, False]).head(100)
    )


def q19(t, scale):
    def part(brand, containers, largest):
        return (c("p_brand") == brand) & c("p_container").is_in(containers) & c("p_size").is_between(1, largest)

    def fits(brand, least):
        return (c("p_brand") == brand) & c("l_quantity").is_between(least, least + 10)

    parts = t.part.filter(
        part("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 5)
        | part("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10)
        | part("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 15)
    )
    by_air = c("l_shipmode").is_in(["AIR", "AIR REG"]) & (c("l_shipinstruct") == "DELIVER IN PERSON")
    return (
        parts.join(t.lineitem.filter(by_air & c("l_quantity").is_between(1, 30)), left_on="p_partkey", right_on="l_partkey")
        .filter(fits("Brand#12", 1) | fits("Brand#23", 10) | fits("Brand#34", 20))
        .select(volume().sum().alias("revenue"))
    )


def q20(t, scale):
    forest = t.part.filter(c("p_name").str.starts_with("forest"))
    half = (
        t.lineitem.filter(between("l_shipdate", date(1994, 1, 1), date(1995, 1, 1)))
        .join(forest, left_on="l_partkey", right_on="p_partkey", how="semi")
        .group_by("l_partkey", "l_suppkey").agg((0.5 * c("l_quantity").sum()).alias("half"))
    )
    plenty = t.partsupp.join(half, left_on=["ps_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"]).filter(c("ps_availqty") > c("half"))
    canada = t.nation.filter(c("n_name") == "CANADA")
    return (
        t.supplier.join(canada, left_on="s_nationkey", right_on="n_nationkey", how="semi")
        .join(plenty, left_on="s_suppkey", right_on="ps_suppkey", how="semi").select("s_name", "s_address").sort("s_name")
    )


def q21(t, scale):
    late = c("l_receiptdate") > c("l_commitdate")
    finished = t.orders.filter(c("o_orderstatus") == "F")
    suppliers = t.supplier.join(t.nation.filter(c("n_name") == "SAUDI ARABIA"), left_on="s_nationkey", right_on="n_nationkey", how="semi")
    # Only these orders can count, as in examples/tpch/q21.rs.
    orders = (
        t.lineitem.filter(late).join(suppliers, left_on="l_suppkey", right_on="s_suppkey", how="semi")
        .join(finished, left_on="l_orderkey", right_on="o_orderkey", how="semi")
    )
    late_supplier = pl.when(late).then(c("l_suppkey"))
    waiting = (
        t.lineitem.join(orders, on="l_orderkey", how="semi").group_by("l_orderkey")
        .agg(
            c("l_suppkey").min().alias("least"), c("l_suppkey").max().alias("greatest"),
            late_supplier.min().alias("late"), late_supplier.max().alias("greatest_late"), late.sum().alias("lines"),
        )
        .filter((c("least") != c("greatest")) & (c("late") == c("greatest_late")))
    )
    return (
        waiting.join(suppliers, left_on="late", right_on="s_suppkey")
        .group_by("s_name").agg(c("lines").sum().alias("numwait")).sort("numwait", "s_name", descending=[True, False]).head(100)
    )


def q22(t, scale):
    customers = t.customer.select("c_custkey", "c_acctbal", c("c_phone").str.slice(0, 2).alias("cntrycode"))
    customers = customers.filter(c("cntrycode").is_in(["13", "31", "23", "29", "30", "18", "17"]))
    usual = customers.filter(c("c_acctbal") > 0.0).select(c("c_acctbal").mean().alias("usual"))
    return (
        customers.join(usual, how="cross").filter(c("c_acctbal") > c("usual"))
        .join(t.orders, left_on="c_custkey", right_on="o_custkey", how="anti")
        .group_by("cntrycode").agg(pl.len().alias("numcust"), c("c_acctbal").sum().alias("totacctbal")).sort("cntrycode")
    )


def query(tables, number: int, scale: float) -> pl.LazyFrame:
    return globals()[f"q{number}"](tables, scale)
