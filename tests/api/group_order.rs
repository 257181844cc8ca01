//! The order of groups, and groups of categories that have no row.

use super::check::{check_frame, check_in_order, failure, table};
use partita::polars::prelude::*;
use partita::{Aggregation, Code, DFrame};

const KX: &str = "k,j,x
    b,1,1
    a,2,2
    ,1,3
    b,2,4
    c,1,5
    a,2,6";

#[test]
fn groups_in_the_order_of_their_keys() {
    let sums = "k,x\n,3\na,8\nb,5\nc,5";
    check_in_order(KX, |t| t.group_by(["k"]).sort(true).select(["x"]).sum(), sums);
    check_in_order(KX, |t| t.group_by(["k"]).split_out(3).sort(true).agg([col("x").sum()]), sums);
    let medians = "k,j,x\n,1,3.0\na,2,4.0\nb,1,1.0\nb,2,4.0\nc,1,5.0";
    check_in_order(KX, |t| t.group_by(["k", "j"]).sort(true).agg([col("x").median()]), medians);
    check_in_order(KX, |t| t.group_by([(col("x") % lit(2)).alias("odd")]).sort(true).agg([col("x").max()]), "odd,x\n0,6\n1,5");
    let largest = || Aggregation::new("m").chunk([col("x").max().alias("m")]).combine([col("m").max()]);
    check_in_order(KX, |t| t.group_by(["k"]).sort(true).aggregate([largest()]), "k,m\n,3\na,6\nb,4\nc,5");
}

fn sizes() -> DataType {
    DataType::from_frozen_categories(FrozenCategories::new(["small", "middle", "large"]).unwrap())
}

fn sized() -> DataFrame {
    let frame = df!("size" => [Some("large"), Some("small"), None, Some("large")], "day" => [1i64, 1, 2, 2], "x" => [1i64, 2, 3, 4]);
    frame.unwrap().lazy().with_columns([col("size").cast(sizes())]).collect().unwrap()
}

#[test]
fn categories_without_rows() {
    let expect = |frame: PolarsResult<DataFrame>| frame.unwrap().lazy().with_columns([col("size").cast(sizes())]).collect().unwrap();
    let aggs = || [len().alias("rows"), col("x").sum(), col("x").mean().alias("mean"), col("x").count().alias("n")];
    let expected = expect(df!(
        "size" => [None, Some("small"), Some("middle"), Some("large")], "rows" => [1u32, 1, 0, 2], "x" => [3i64, 2, 0, 5],
        "mean" => [Some(3.0), Some(2.0), None, Some(2.5)], "n" => [1u32, 1, 0, 2]
    ));
    check_frame(&sized(), |frame| frame.group_by(["size"]).observed(false).agg(aggs()), &expected, true);
    // With another key: each combination that is there.
    let expected = expect(df!(
        "day" => [1i64, 1, 1, 2, 2, 2, 2], "size" => [Some("small"), Some("middle"), Some("large"), None, Some("small"), Some("middle"), Some("large")],
        "x" => [2i64, 0, 1, 3, 0, 0, 4]
    ));
    check_frame(&sized(), |frame| frame.group_by(["day", "size"]).observed(false).sum(), &expected, true);
    let twice = |frame: &DFrame| frame.with_columns([col("size").alias("other")]).group_by(["size", "other"]).observed(false).len();
    let pairs = DFrame::from_polars(sized(), 2);
    assert_eq!(twice(&pairs).compute().unwrap().height(), 10);
    let squares = || Aggregation::new("squares").chunk([(col("x") * col("x")).sum().alias("s")]).combine([col("s").sum()]);
    let expected = expect(df!("size" => [None, Some("small"), Some("middle"), Some("large")], "squares" => [9i64, 4, 0, 17]));
    check_frame(&sized(), |frame| frame.group_by(["size"]).observed(false).aggregate([squares()]), &expected, true);
    // Without an enumeration nothing is unobserved; with what is there, neither.
    let frame = DFrame::from_polars(table(KX), 3);
    assert_eq!(frame.group_by(["k"]).observed(false).len().compute().unwrap(), frame.group_by(["k"]).sort(true).len().compute().unwrap());
    assert_eq!(pairs.group_by(["size"]).observed(true).len().compute().unwrap().height(), 3);
}

#[test]
fn categories_that_nobody_knows_before() {
    let categories = || DataType::from_categories(Categories::global());
    let of = |csv: &str| table(csv).lazy().with_columns([col("k").cast(categories())]).collect().unwrap();
    let input = of(KX);
    let pairs = of("k,j,x\na,1,0\na,2,8\nb,1,1\nb,2,4\nc,1,5\nc,2,0\n,1,3");
    check_frame(&input, |frame| frame.group_by(["k", "j"]).observed(false).sum(), &pairs, false);
    // By one key alone, all categories that there are have a row.
    check_frame(&input, |frame| frame.group_by(["k"]).observed(false).select(["x"]).sum(), &of("k,x\n,3\na,8\nb,5\nc,5"), false);
    // What a filter takes away is not there.
    let few = |frame: &DFrame| frame.filter(col("x").gt(lit(3))).group_by(["k", "j"]).observed(false).sum();
    check_frame(&input, few, &of("k,j,x\na,1,0\na,2,6\nb,1,0\nb,2,4\nc,1,5\nc,2,0"), false);
    // Two such keys, and one beside an enumeration.
    let both =
        |frame: &DFrame| frame.cast([("j", DataType::String)]).cast([("j", categories())]).group_by(["k", "j"]).observed(false).len();
    assert_eq!(both(&DFrame::from_polars(input, 3)).compute().unwrap().height(), 7);
    let sized = DFrame::from_polars(sized(), 2).cast([("day", DataType::String)]).cast([("day", categories())]);
    assert_eq!(sized.group_by(["size", "day"]).observed(false).len().compute().unwrap().height(), 7);
    let frame = DFrame::from_polars(table(KX), 2);
    failure(&frame.group_by(["kk"]).observed(false).sort(true).len(), Code::ColumnNotFound);
}
