"""Five TPC-H queries for Dask, as its users write them: those without subqueries that its documentation's own benchmarks show too.

`QUERIES[number](t)` with `t.lineitem`, ... as Dask frames; each gives a pandas frame with the columns of the specification.
"""

from datetime import date

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


def q3(t):
    customers = t.customer[t.customer.c_mktsegment == "BUILDING"][["c_custkey"]]
    orders = t.orders[t.orders.o_orderdate < date(1995, 3, 15)][["o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"]]
    lines = t.lineitem[t.lineitem.l_shipdate > date(1995, 3, 15)]
    lines = lines.assign(revenue=volume(lines))[["l_orderkey", "revenue"]]
    joined = orders.merge(customers, left_on="o_custkey", right_on="c_custkey").merge(lines, left_on="o_orderkey", right_on="l_orderkey")
    sums = joined.groupby(["l_orderkey", "o_orderdate", "o_shippriority"]).revenue.sum().reset_index()
    found = sums.compute().sort_values(["revenue", "o_orderdate"], ascending=[False, True]).head(10)
    return found[["l_orderkey", "revenue", "o_orderdate", "o_shippriority"]]


def q5(t):
    region = t.region[t.region.r_name == "ASIA"][["r_regionkey"]]
    nations = t.nation.merge(region, left_on="n_regionkey", right_on="r_regionkey")[["n_nationkey", "n_name"]]
    customers = t.customer[["c_custkey", "c_nationkey"]].merge(nations, left_on="c_nationkey", right_on="n_nationkey")
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


QUERIES = {1: q1, 3: q3, 5: q5, 6: q6, 10: q10}
