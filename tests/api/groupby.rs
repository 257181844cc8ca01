//! Group-bys: shortcuts, expressions, keys of all kinds, many groups.

use super::check::{check, check_frame, check_in_order, file, table};
use partita::polars::prelude::*;
use partita::prelude::{CsvOptions, DFrame, col, len, lit, when};

const KX: &str = "k,x,y,b
    a,1,0.5,true
    b,2,1.5,false
    a,3,,true
    ,4,2.5,false
    b,5,3.5,
    a,6,4.5,false
    ,7,,true";

#[test]
fn shortcuts() {
    check(KX, |t| t.group_by(["k"]).sum().select(["k", "x", "y"]), "k,x,y\na,10,5.0\nb,7,5.0\n,11,2.5");
    check(KX, |t| t.groupby(["k"]).mean().select(["k", "x", "y"]), "k,x,y\na,3.3333333333333335,2.5\nb,3.5,2.5\n,5.5,2.5");
    check(KX, |t| t.group_by("k").select(["x"]).min(), "k,x\na,1\nb,2\n,4");
    check(KX, |t| t.group_by("k").select(["x"]).max(), "k,x\na,6\nb,5\n,7");
    check(KX, |t| t.group_by("k").select(["x"]).first(), "k,x\na,1\nb,2\n,4");
    check(KX, |t| t.group_by("k").select(["x"]).last(), "k,x\na,6\nb,5\n,7");
    check(KX, |t| t.group_by("k").select(["x"]).product(), "k,x\na,18\nb,10\n,28");
    check(KX, |t| t.group_by("k").any(), "k,b\na,true\nb,false\n,true");
    check(KX, |t| t.group_by("k").all(), "k,b\na,false\nb,false\n,false");
    check(KX, |t| t.group_by("k").select(["x"]).var(), "k,x\na,6.333333333333333\nb,4.5\n,4.5");
    check(KX, |t| t.group_by("k").select(["x"]).std(), "k,x\na,2.516611478423583\nb,2.1213203435596424\n,2.1213203435596424");
}

#[test]
fn counts() {
    let expected = df!("k" => [Some("a"), Some("b"), None], "y" => [2u32, 2, 1]).unwrap();
    check_frame(&table(KX), |t| t.group_by("k").select(["y"]).count(), &expected, false);
    let expected = df!("k" => [Some("a"), Some("b"), None], "len" => [3u32, 2, 2]).unwrap();
    check_frame(&table(KX), |t| t.group_by("k").len(), &expected, false);
}

#[test]
fn groups_come_in_order_of_first_appearance() {
    check_in_order("k,x\nc,1\na,2\nc,3\nb,4\na,5", |t| t.group_by("k").sum(), "k,x\nc,4\na,7\nb,4");
}

#[test]
fn expressions() {
    check(KX, |t| t.group_by("k").agg([(col("x").sum() / col("x").count()).alias("r")]), "k,r\na,3\nb,3\n,5");
    check(
        KX,
        |t| t.group_by("k").agg([(col("x") * lit(2)).sum().alias("d"), col("x").mean()]),
        "k,d,x\na,20,3.3333333333333335\nb,14,3.5\n,22,5.5",
    );
    check(KX, |t| t.group_by([(col("x") % lit(2)).alias("odd")]).agg([col("x").sum()]), "odd,x\n1,16\n0,12");
    check(
        KX,
        |t| t.group_by("k").agg([when(col("x").gt(lit(3))).then(col("x")).otherwise(lit(0)).sum().alias("big")]),
        "k,big\na,6\nb,5\n,11",
    );
    // These have no states that could be combined; rows of a group come together.
    check(KX, |t| t.group_by("k").agg([col("x").median()]), "k,x\na,3.0\nb,3.5\n,5.5");
    check(KX, |t| t.group_by("k").agg([(col("x") - col("x").min()).sum().alias("above")]), "k,above\na,7\nb,3\n,3");
}

#[test]
fn lists_and_quantiles_of_groups_like_polars() {
    let mut aggregates = vec![col("x"), col("b").alias("list")];
    let methods =
        [QuantileMethod::Linear, QuantileMethod::Nearest, QuantileMethod::Lower, QuantileMethod::Higher, QuantileMethod::Midpoint];
    for (at, method) in methods.into_iter().enumerate() {
        let quantile = |name: &str, q: f64| col(name).quantile(lit(q), method).alias(format!("{name} {at} {q}"));
        aggregates.extend([quantile("x", 0.3), quantile("y", 0.75), quantile("x", 0.0), quantile("y", 1.0)]);
    }
    let expected = table(KX).lazy().group_by_stable([col("k")]).agg(aggregates.clone()).collect().unwrap();
    let expected = expected.sort(["k"], SortMultipleOptions::default()).unwrap();
    assert!(expected.column("x").unwrap().dtype().is_list());
    check_frame(&table(KX), |t| t.group_by("k").agg(aggregates.clone()).sort(["k"]), &expected, true);
}

#[test]
fn keys() {
    check(KX, |t| t.group_by(["k", "b"]).agg([col("x").sum()]), "k,b,x\na,true,4\na,false,6\nb,false,2\nb,,5\n,false,4\n,true,7");
    check(
        "f,x\n0.5,1\n-0.0,2\n0.0,3\nNaN,4\nNaN,5",
        |t| t.group_by("f").agg([col("x").count().cast(DataType::Int64)]),
        "f,x\n0.5,1\n0.0,2\nNaN,2",
    );
}

/// Cases in which taking an aggregate apart would give another result for another partitioning.
#[test]
fn aggregates_that_only_look_simple() {
    check(KX, |t| t.group_by("k").agg([col("x").filter(col("x").gt(lit(2))).len().cast(DataType::Int64)]), "k,x\na,2\nb,1\n,2");
    check(KX, |t| t.agg([col("k").drop_nulls().len().cast(DataType::Int64).alias("n")]), "n\n5");
    check(KX, |t| t.agg([lit(1i64).sum().cast(DataType::Int64).alias("one"), col("x").max()]), "one,x\n1,7");
    check(KX, |t| t.agg([col("x").sum().name().keep()]), "x\n28");
    check(KX, |t| t.group_by("k").agg([col("x").median()]).filter(col("x").gt(lit(3.2))), "k,x\nb,3.5\n,5.5");
}

/// What is small beside a sum is not lost; infinite sums stay what they are.
#[test]
fn sums_of_large_and_small_numbers() {
    let values: Vec<f64> = [1e16].into_iter().chain([1.0; 1000]).chain([-1e16]).collect();
    let input = df!("k" => vec![1i64; values.len()], "x" => values).unwrap();
    let found = DFrame::from_polars(input, 1).group_by("k").sum().compute().unwrap();
    assert_eq!(found, df!("k" => [1i64], "x" => [1000.0]).unwrap());
    let infinite = df!("k" => [1i64, 1, 2, 2, 3, 3], "x" => [f64::INFINITY, 1.0, f64::MAX, f64::MAX, 1.0, f64::NEG_INFINITY]).unwrap();
    let sums = df!("k" => [1i64, 2, 3], "x" => [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY]).unwrap();
    check_frame(&infinite, |t| t.group_by("k").sum(), &sums, false);
}

/// A whole level of the tree of combinations may have no rows.
#[test]
fn first_and_last_of_partitions_without_rows() {
    let input = df!("x" => (0..40i64).collect::<Vec<_>>()).unwrap();
    let late = DFrame::from_polars(input.clone(), 40).filter(col("x").gt(lit(38)));
    assert_eq!(late.first().compute().unwrap(), df!("x" => [39i64]).unwrap());
    let early = DFrame::from_polars(input, 40).filter(col("x").lt(lit(1)));
    assert_eq!(early.last().compute().unwrap(), df!("x" => [0i64]).unwrap());
}

/// In the first half of the file two keys have too many values for a table of all pairs of codes, in the second they have three.
#[test]
fn first_and_last_of_batches_with_and_without_codes() {
    let key = |row: usize| if row < 150_000 { row % 300 } else { row % 3 };
    let rows: String = (0..300_000).map(|row| format!("a{},b{},{row}\n", key(row), key(row) * 7919 % 300)).collect();
    let (_folder, path) = file("t.csv", format!("a,b,x\n{rows}"));
    let frame = DFrame::read_csv_with(&path, CsvOptions::new().blocksize("64MB")).unwrap();
    let found = frame.group_by(["a", "b"]).agg([col("x").first().alias("first"), col("x").last().alias("last")]).compute().unwrap();
    let (first, last) = ([0i64, 1, 2], [299_997i64, 299_998, 299_999]);
    let expected = df!("a" => ["a0", "a1", "a2"], "b" => ["b0", "b119", "b238"], "first" => first, "last" => last).unwrap();
    assert_eq!((found.height(), found.head(Some(3))), (300, expected));
}

/// Many groups, split over several partitions, against polars on the whole.
#[test]
fn many_groups_are_split() {
    let rows = 20_000i64;
    let keys: Vec<i64> = (0..rows).map(|i| i * 7919 % 6007).collect();
    let values: Vec<f64> = (0..rows).map(|i| (i % 101) as f64 / 4.0).collect();
    let input = df!("k" => keys, "x" => values).unwrap();
    let aggs = || [col("x").sum().alias("s"), col("x").mean().alias("m"), len().alias("n"), col("x").std(1).alias("d")];
    let expected = input.clone().lazy().group_by([col("k")]).agg(aggs()).collect().unwrap();
    for parts in [1, 3, 8] {
        check_frame(&input, |t| t.group_by("k").split_out(parts).agg(aggs()), &expected, false);
        assert_eq!(DFrame::from_polars(input.clone(), 5).group_by("k").split_out(parts).agg(aggs()).npartitions().unwrap(), parts);
    }
}

/// A result of few groups does not hold on to the text of all rows.
#[test]
fn groups_let_go_of_the_text_of_rows() {
    let texts: Vec<String> = (0..10_000).map(|row| format!("a text that is longer than a view holds: {}", row % 3)).collect();
    let input = df!("k" => texts, "x" => vec![1i64; 10_000]).unwrap();
    for partitions in [1, 4] {
        let found = DFrame::from_polars(input.clone(), partitions).group_by("k").sum().compute().unwrap();
        let held: usize = found.column("k").unwrap().str().unwrap().downcast_iter().map(|array| array.total_buffer_len()).sum();
        assert!(found.height() == 3 && held < 20_000, "{held} bytes for {found}");
    }
}

/// The tree of combinations has more than one level.
#[test]
fn many_partitions_are_combined_in_a_tree() {
    let input = df!("k" => (0..600).map(|i| i % 3).collect::<Vec<i32>>(), "x" => (0..600).collect::<Vec<i64>>()).unwrap();
    let frame = DFrame::from_polars(input, 300).group_by("k").sum();
    let found = frame.compute().unwrap();
    assert_eq!(found, df!("k" => [0i32, 1, 2], "x" => [59700i64, 59900, 60100]).unwrap());
    assert!(frame.explain().contains("combine"), "{}", frame.explain());
}

/// The square of such a number is infinite.
#[test]
fn variance_of_very_large_numbers() {
    let input = df!("k" => [1i64, 1, 2, 2], "x" => [1e200, 1e200, 3.0, 5.0]).unwrap();
    check_frame(&input, |t| t.group_by("k").var(), &df!("k" => [1i64, 2], "x" => [0.0, 2.0]).unwrap(), false);
}

/// Large offsets with small spread: sums of squares would give nonsense.
#[test]
fn variance_does_not_cancel() {
    let values: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 10)).collect();
    let input = df!("k" => vec![1i64; 1000], "x" => values).unwrap();
    let found = DFrame::from_polars(input, 7).group_by("k").var().compute().unwrap();
    let var = found.column("x").unwrap().f64().unwrap().get(0).unwrap();
    assert!((var - 8.258258258258258).abs() < 1e-6, "{var}");
}
