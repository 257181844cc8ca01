"""The 22 TPC-H queries for Dask, as its users write them.

`QUERIES[number](t)` with `t.lineitem`, ... as Dask frames and `t.scale`; each gives a pandas frame with the columns of the specification.
`exists` and `in` are `merge(how="leftsemi")`, or an inner merge with keys that are there once. There is no anti join: a left merge keeps the rows
that found nothing.
What is sorted, and cut to its first rows, is small and sorted by pandas.
"""

from datetime import date

import dask
import pandas as pd


def volume(frame):
    return frame.l_extendedprice * (1 - frame.l_discount)


def between(column, start: date, end: date):
    """From a day on, and before another."""
    return (column >= start) & (column < end)


def q1(t):
    lines = t.lineitem[t.lineitem.l_shipdate <= date(1998, 9, 2)]
    lines = lines.assign(disc_price=volume(lines))
    lines = lines.assign(charge=lines.disc_price * (1 + lines.l_tax))
    sums = lines.groupby(["l_returnflag", "l_linestatus"]).agg(
        sum_qty=("l_quantity", "sum"), sum_base_price=("l_extendedprice", "sum"), sum_disc_price=("disc_price", "sum"),
        sum_charge=("charge", "sum"), avg_qty=("l_quantity", "mean"), avg_price=("l_extendedprice", "mean"),
        avg_disc=("l_discount", "mean"), count_order=("l_orderkey", "count"),
    )
    return sums.reset_index().compute().sort_values(["l_returnflag", "l_linestatus"])


def nations_of(t, region: str):
    regions = t.region[t.region.r_name == region][["r_regionkey"]]
    return t.nation.merge(regions, left_on="n_regionkey", right_on="r_regionkey")[["n_nationkey", "n_name"]]


def suppliers_of(t, nation: str):
    nations = t.nation[t.nation.n_name == nation][["n_nationkey"]]
    return t.supplier.merge(nations, left_on="s_nationkey", right_on="n_nationkey")


def q2(t):
    suppliers = t.supplier.merge(nations_of(t, "EUROPE"), left_on="s_nationkey", right_on="n_nationkey")
    parts = t.part[(t.part.p_size == 15) & t.part.p_type.str.endswith("BRASS")][["p_partkey", "p_mfgr"]]
    offers = (
        t.partsupp[["ps_partkey", "ps_suppkey", "ps_supplycost"]].merge(parts, left_on="ps_partkey", right_on="p_partkey")
        .merge(suppliers, left_on="ps_suppkey", right_on="s_suppkey")
    )
    least = offers.groupby("p_partkey").ps_supplycost.min().reset_index()
    columns = ["s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment"]
    found = offers.merge(least, on=["p_partkey", "ps_supplycost"])[columns].compute()
    return found.sort_values(["s_acctbal", "n_name", "s_name", "p_partkey"], ascending=[False, True, True, True]).head(100)


def q3(t):
    customers = t.customer[t.customer.c_mktsegment == "BUILDING"][["c_custkey"]]
    orders = t.orders[t.orders.o_orderdate < date(1995, 3, 15)][["o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"]]
    lines = t.lineitem[t.lineitem.l_shipdate > date(1995, 3, 15)]
    lines = lines.assign(revenue=volume(lines))[["l_orderkey", "revenue"]]
    joined = orders.merge(customers, left_on="o_custkey", right_on="c_custkey").merge(lines, left_on="o_orderkey", right_on="l_orderkey")
    sums = joined.groupby(["l_orderkey", "o_orderdate", "o_shippriority"]).revenue.sum().reset_index()
    found = sums.compute().sort_values(["revenue", "o_orderdate"], ascending=[False, True]).head(10)
    return found[["l_orderkey", "revenue", "o_orderdate", "o_shippriority"]]


def q4(t):
    late = t.lineitem[t.lineitem.l_commitdate < t.lineitem.l_receiptdate][["l_orderkey"]]
    orders = t.orders[between(t.orders.o_orderdate, date(1993, 7, 1), date(1993, 10, 1))][["o_orderkey", "o_orderpriority"]]
    # A left side that is sent to all partitions of the other would have its rows several times.
    found = orders.merge(late, left_on="o_orderkey", right_on="l_orderkey", how="leftsemi", broadcast=False)
    counts = found.groupby("o_orderpriority").agg(order_count=("o_orderkey", "count"))
    return counts.reset_index().compute().sort_values("o_orderpriority")


def q5(t):
    customers = t.customer[["c_custkey", "c_nationkey"]].merge(nations_of(t, "ASIA"), left_on="c_nationkey", right_on="n_nationkey")
    orders = t.orders[between(t.orders.o_orderdate, date(1994, 1, 1), date(1995, 1, 1))][["o_orderkey", "o_custkey"]]
    lines = t.lineitem.assign(revenue=volume(t.lineitem))[["l_orderkey", "l_suppkey", "revenue"]]
    joined = (
        orders.merge(customers, left_on="o_custkey", right_on="c_custkey")
        .merge(lines, left_on="o_orderkey", right_on="l_orderkey")
        .merge(t.supplier[["s_suppkey", "s_nationkey"]], left_on=["l_suppkey", "c_nationkey"], right_on=["s_suppkey", "s_nationkey"])
    )
    return joined.groupby("n_name").revenue.sum().reset_index().compute().sort_values("revenue", ascending=False)


def q6(t):
    lines = t.lineitem
    fits = between(lines.l_shipdate, date(1994, 1, 1), date(1995, 1, 1)) & lines.l_discount.between(0.05, 0.07) & (lines.l_quantity < 24)
    lines = lines[fits]
    return pd.DataFrame({"revenue": [(lines.l_extendedprice * lines.l_discount).sum().compute()]})


def q7(t):
    both = t.nation[t.nation.n_name.isin(["FRANCE", "GERMANY"])][["n_nationkey", "n_name"]]
    suppliers = t.supplier[["s_suppkey", "s_nationkey"]].merge(both, left_on="s_nationkey", right_on="n_nationkey")
    suppliers = suppliers.rename(columns={"n_name": "supp_nation"})[["s_suppkey", "supp_nation"]]
    customers = t.customer[["c_custkey", "c_nationkey"]].merge(both, left_on="c_nationkey", right_on="n_nationkey")
    customers = customers.rename(columns={"n_name": "cust_nation"})[["c_custkey", "cust_nation"]]
    orders = t.orders[["o_orderkey", "o_custkey"]].merge(customers, left_on="o_custkey", right_on="c_custkey")[["o_orderkey", "cust_nation"]]
    lines = t.lineitem[between(t.lineitem.l_shipdate, date(1995, 1, 1), date(1997, 1, 1))]
    lines = lines.assign(volume=volume(lines), l_year=lines.l_shipdate.dt.year)[["l_orderkey", "l_suppkey", "l_year", "volume"]]
    joined = (
        lines.merge(suppliers, left_on="l_suppkey", right_on="s_suppkey").merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    )
    joined = joined[joined.supp_nation != joined.cust_nation]
    keys = ["supp_nation", "cust_nation", "l_year"]
    return joined.groupby(keys).agg(revenue=("volume", "sum")).reset_index().compute().sort_values(keys)


def q8(t):
    steel = t.part[t.part.p_type == "ECONOMY ANODIZED STEEL"][["p_partkey"]]
    customers = t.customer[["c_custkey", "c_nationkey"]].merge(nations_of(t, "AMERICA")[["n_nationkey"]], left_on="c_nationkey", right_on="n_nationkey")
    orders = t.orders[between(t.orders.o_orderdate, date(1995, 1, 1), date(1997, 1, 1))]
    orders = orders.assign(o_year=orders.o_orderdate.dt.year)[["o_orderkey", "o_custkey", "o_year"]]
    orders = orders.merge(customers[["c_custkey"]], left_on="o_custkey", right_on="c_custkey")[["o_orderkey", "o_year"]]
    suppliers = t.supplier[["s_suppkey", "s_nationkey"]].merge(t.nation[["n_nationkey", "n_name"]], left_on="s_nationkey", right_on="n_nationkey")
    lines = t.lineitem.assign(volume=volume(t.lineitem))[["l_orderkey", "l_partkey", "l_suppkey", "volume"]]
    joined = (
        lines.merge(steel, left_on="l_partkey", right_on="p_partkey").merge(orders, left_on="l_orderkey", right_on="o_orderkey")
        .merge(suppliers[["s_suppkey", "n_name"]], left_on="l_suppkey", right_on="s_suppkey")
    )
    joined = joined.assign(of_brazil=joined.volume.where(joined.n_name == "BRAZIL", 0.0))
    sums = joined.groupby("o_year").agg(of_brazil=("of_brazil", "sum"), volume=("volume", "sum")).reset_index().compute().sort_values("o_year")
    return sums.assign(mkt_share=sums.of_brazil / sums.volume)[["o_year", "mkt_share"]]


def q9(t):
    green = t.part[t.part.p_name.str.contains("green", regex=False)][["p_partkey"]]
    suppliers = t.supplier[["s_suppkey", "s_nationkey"]].merge(t.nation[["n_nationkey", "n_name"]], left_on="s_nationkey", right_on="n_nationkey")
    offers = (
        t.partsupp[["ps_partkey", "ps_suppkey", "ps_supplycost"]].merge(green, left_on="ps_partkey", right_on="p_partkey")
        .merge(suppliers, left_on="ps_suppkey", right_on="s_suppkey")[["ps_partkey", "ps_suppkey", "ps_supplycost", "n_name"]]
    )
    orders = t.orders.assign(o_year=t.orders.o_orderdate.dt.year)[["o_orderkey", "o_year"]]
    lines = t.lineitem.assign(volume=volume(t.lineitem))[["l_orderkey", "l_partkey", "l_suppkey", "l_quantity", "volume"]]
    joined = (
        lines.merge(offers, left_on=["l_partkey", "l_suppkey"], right_on=["ps_partkey", "ps_suppkey"])
        .merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    )
    joined = joined.assign(profit=joined.volume - joined.ps_supplycost * joined.l_quantity).rename(columns={"n_name": "nation"})
    sums = joined.groupby(["nation", "o_year"]).agg(sum_profit=("profit", "sum"))
    return sums.reset_index().compute().sort_values(["nation", "o_year"], ascending=[True, False])


def q10(t):
    orders = t.orders[between(t.orders.o_orderdate, date(1993, 10, 1), date(1994, 1, 1))][["o_orderkey", "o_custkey"]]
    lines = t.lineitem[t.lineitem.l_returnflag == "R"]
    lines = lines.assign(revenue=volume(lines))[["l_orderkey", "revenue"]]
    joined = (
        orders.merge(lines, left_on="o_orderkey", right_on="l_orderkey")
        .merge(t.customer, left_on="o_custkey", right_on="c_custkey")
        .merge(t.nation[["n_nationkey", "n_name"]], left_on="c_nationkey", right_on="n_nationkey")
    )
    keys = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]
    found = joined.groupby(keys).revenue.sum().reset_index().compute().sort_values("revenue", ascending=False).head(20)
    return found[["c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone", "c_comment"]]


def q11(t):
    stock = t.partsupp.merge(suppliers_of(t, "GERMANY")[["s_suppkey"]], left_on="ps_suppkey", right_on="s_suppkey")
    stock = stock.assign(value=stock.ps_supplycost * stock.ps_availqty)
    sums, total = dask.compute(stock.groupby("ps_partkey").agg(value=("value", "sum")).reset_index(), stock["value"].sum())
    return sums[sums["value"] > total * (0.0001 / t.scale)].sort_values("value", ascending=False)


def q12(t):
    lines = t.lineitem
    lines = lines[
        lines.l_shipmode.isin(["MAIL", "SHIP"]) & (lines.l_commitdate < lines.l_receiptdate) & (lines.l_shipdate < lines.l_commitdate)
        & between(lines.l_receiptdate, date(1994, 1, 1), date(1995, 1, 1))
    ][["l_orderkey", "l_shipmode"]]
    joined = lines.merge(t.orders[["o_orderkey", "o_orderpriority"]], left_on="l_orderkey", right_on="o_orderkey")
    high = joined.o_orderpriority.isin(["1-URGENT", "2-HIGH"]).astype("int64")
    sums = joined.assign(high=high, low=1 - high).groupby("l_shipmode").agg(high_line_count=("high", "sum"), low_line_count=("low", "sum"))
    return sums.reset_index().compute().sort_values("l_shipmode")


def q13(t):
    orders = t.orders[~t.orders.o_comment.str.contains("special.*requests")][["o_orderkey", "o_custkey"]]
    counts = orders.groupby("o_custkey").agg(c_count=("o_orderkey", "count")).reset_index()
    joined = t.customer[["c_custkey"]].merge(counts, left_on="c_custkey", right_on="o_custkey", how="left")
    joined = joined.assign(c_count=joined.c_count.fillna(0).astype("int64"))
    found = joined.groupby("c_count").agg(custdist=("c_custkey", "count")).reset_index().compute()
    return found.sort_values(["custdist", "c_count"], ascending=[False, False])


def q14(t):
    lines = t.lineitem[between(t.lineitem.l_shipdate, date(1995, 9, 1), date(1995, 10, 1))]
    lines = lines.assign(revenue=volume(lines))[["l_partkey", "revenue"]]
    joined = lines.merge(t.part[["p_partkey", "p_type"]], left_on="l_partkey", right_on="p_partkey")
    promoted = joined.revenue.where(joined.p_type.str.startswith("PROMO"), 0.0).sum()
    promoted, total = dask.compute(promoted, joined.revenue.sum())
    return pd.DataFrame({"promo_revenue": [100.0 * promoted / total]})


def q15(t):
    lines = t.lineitem[between(t.lineitem.l_shipdate, date(1996, 1, 1), date(1996, 4, 1))]
    lines = lines.assign(revenue=volume(lines))[["l_suppkey", "revenue"]]
    sums = lines.groupby("l_suppkey").agg(total_revenue=("revenue", "sum")).reset_index()
    best = sums[sums.total_revenue == sums.total_revenue.max()]
    columns = ["s_suppkey", "s_name", "s_address", "s_phone", "total_revenue"]
    return t.supplier.merge(best, left_on="s_suppkey", right_on="l_suppkey")[columns].compute().sort_values("s_suppkey")


def q16(t):
    parts = t.part[
        (t.part.p_brand != "Brand#45") & ~t.part.p_type.str.startswith("MEDIUM POLISHED") & t.part.p_size.isin([49, 14, 23, 45, 19, 3, 36, 9])
    ][["p_partkey", "p_brand", "p_type", "p_size"]]
    # Each offer has a supplier: those without complaints are those that are not left out.
    suppliers = t.supplier[~t.supplier.s_comment.str.contains("Customer.*Complaints")][["s_suppkey"]]
    joined = (
        t.partsupp[["ps_partkey", "ps_suppkey"]].merge(parts, left_on="ps_partkey", right_on="p_partkey")
        .merge(suppliers, left_on="ps_suppkey", right_on="s_suppkey")
    )
    keys = ["p_brand", "p_type", "p_size"]
    counts = joined.groupby(keys).ps_suppkey.nunique().reset_index().rename(columns={"ps_suppkey": "supplier_cnt"}).compute()
    return counts.sort_values(["supplier_cnt", *keys], ascending=[False, True, True, True])


def q17(t):
    parts = t.part[(t.part.p_brand == "Brand#23") & (t.part.p_container == "MED BOX")][["p_partkey"]]
    lines = t.lineitem[["l_partkey", "l_quantity", "l_extendedprice"]].merge(parts, left_on="l_partkey", right_on="p_partkey")
    means = lines.groupby("l_partkey").agg(mean=("l_quantity", "mean")).reset_index()
    joined = lines.merge(means, on="l_partkey")
    small = joined[joined.l_quantity < 0.2 * joined["mean"]]
    return pd.DataFrame({"avg_yearly": [small.l_extendedprice.sum().compute() / 7.0]})


def q18(t):
    sums = t.lineitem.groupby("l_orderkey").agg(sum_quantity=("l_quantity", "sum")).reset_index()
    joined = (
        t.orders[["o_orderkey", "o_custkey", "o_orderdate", "o_totalprice"]]
        .merge(sums[sums.sum_quantity > 300], left_on="o_orderkey", right_on="l_orderkey")
        .merge(t.customer[["c_custkey", "c_name"]], left_on="o_custkey", right_on="c_custkey")
    )
    found = joined[["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "sum_quantity"]].compute()
    return found.sort_values(["o_totalprice", "o_orderdate"], ascending=[False, True]).head(100)


def q19(t):
    def part(parts, brand, containers, largest):
        return (parts.p_brand == brand) & parts.p_container.isin(containers) & parts.p_size.between(1, largest)

    def fits(joined, brand, least):
        return (joined.p_brand == brand) & joined.l_quantity.between(least, least + 10)

    parts = t.part[
        part(t.part, "Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 5)
        | part(t.part, "Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10)
        | part(t.part, "Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 15)
    ][["p_partkey", "p_brand"]]
    lines = t.lineitem[t.lineitem.l_shipmode.isin(["AIR", "AIR REG"]) & (t.lineitem.l_shipinstruct == "DELIVER IN PERSON")]
    lines = lines.assign(revenue=volume(lines))[["l_partkey", "l_quantity", "revenue"]]
    joined = lines.merge(parts, left_on="l_partkey", right_on="p_partkey")
    joined = joined[fits(joined, "Brand#12", 1) | fits(joined, "Brand#23", 10) | fits(joined, "Brand#34", 20)]
    return pd.DataFrame({"revenue": [joined.revenue.sum().compute()]})


def q20(t):
    forest = t.part[t.part.p_name.str.startswith("forest")][["p_partkey"]]
    lines = t.lineitem[between(t.lineitem.l_shipdate, date(1994, 1, 1), date(1995, 1, 1))][["l_partkey", "l_suppkey", "l_quantity"]]
    lines = lines.merge(forest, left_on="l_partkey", right_on="p_partkey")
    sums = lines.groupby(["l_partkey", "l_suppkey"]).agg(shipped=("l_quantity", "sum")).reset_index()
    offers = t.partsupp[["ps_partkey", "ps_suppkey", "ps_availqty"]]
    offers = offers.merge(sums, left_on=["ps_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"])
    plenty = offers[offers.ps_availqty > 0.5 * offers.shipped][["ps_suppkey"]].drop_duplicates()
    found = suppliers_of(t, "CANADA").merge(plenty, left_on="s_suppkey", right_on="ps_suppkey")
    return found[["s_name", "s_address"]].compute().sort_values("s_name")


def q21(t):
    suppliers = suppliers_of(t, "SAUDI ARABIA")[["s_suppkey", "s_name"]]
    finished = t.orders[t.orders.o_orderstatus == "F"][["o_orderkey"]]
    lines = t.lineitem.assign(late=t.lineitem.l_receiptdate > t.lineitem.l_commitdate)[["l_orderkey", "l_suppkey", "late"]]
    # Only these orders can count, as in examples/tpch/q21.rs.
    orders = lines[lines.late].merge(suppliers[["s_suppkey"]], left_on="l_suppkey", right_on="s_suppkey")[["l_orderkey"]]
    orders = orders.merge(finished, left_on="l_orderkey", right_on="o_orderkey")[["l_orderkey"]]
    lines = lines.merge(orders, on="l_orderkey", how="leftsemi")
    lines = lines.assign(late_supplier=lines.l_suppkey.where(lines.late), lines=lines.late.astype("int64"))
    found = lines.groupby("l_orderkey").agg(
        least=("l_suppkey", "min"), greatest=("l_suppkey", "max"), late=("late_supplier", "min"), greatest_late=("late_supplier", "max"),
        lines=("lines", "sum"),
    )
    waiting = found[(found.least != found.greatest) & (found.late == found.greatest_late)]
    waiting = waiting.assign(late=waiting.late.astype("int64"))[["late", "lines"]].merge(suppliers, left_on="late", right_on="s_suppkey")
    counts = waiting.groupby("s_name").agg(numwait=("lines", "sum")).reset_index().compute()
    return counts.sort_values(["numwait", "s_name"], ascending=[False, True]).head(100)


def q22(t):
    customers = t.customer.assign(cntrycode=t.customer.c_phone.str.slice(0, 2))[["c_custkey", "c_acctbal", "cntrycode"]]
    customers = customers[customers.cntrycode.isin(["13", "31", "23", "29", "30", "18", "17"])]
    rich = customers[customers.c_acctbal > customers[customers.c_acctbal > 0.0].c_acctbal.mean()]
    buyers = t.orders[["o_custkey"]].drop_duplicates()
    joined = rich.merge(buyers, left_on="c_custkey", right_on="o_custkey", how="left")
    idle = joined[joined.o_custkey.isnull()]
    sums = idle.groupby("cntrycode").agg(numcust=("c_custkey", "count"), totacctbal=("c_acctbal", "sum"))
    return sums.reset_index().compute().sort_values("cntrycode")


QUERIES = {
    1: q1, 2: q2, 3: q3, 4: q4, 5: q5, 6: q6, 7: q7, 8: q8, 9: q9, 10: q10, 11: q11, 12: q12, 13: q13, 14: q14, 15: q15, 16: q16, 17: q17,
    18: q18, 19: q19, 20: q20, 21: q21, 22: q22,
}
