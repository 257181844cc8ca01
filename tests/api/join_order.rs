//! Chains of joins: the same result in whatever order they are written, the cheapest order where nobody sees the order of rows, and the
//! written order where somebody does.

use super::check::{assert_close, executors};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, Join, ParquetOptions, ParquetWriteOptions, SortMultipleOptions, col, len, lit};

/// Sales in shops on days; shops in cities; of the days a few are asked for.
fn tables() -> Vec<(&'static str, DFrame)> {
    let rows = 0..3000i64;
    let sales = df!(
        "shop" => rows.clone().map(|i| (i % 11 != 0).then_some(i * 7 % 60)).collect::<Vec<_>>(),
        "day" => rows.clone().map(|i| i * 13 % 300).collect::<Vec<_>>(),
        "amount" => rows.map(|i| i % 101).collect::<Vec<_>>()
    );
    let shops = df!("shop" => (0..50i64).collect::<Vec<_>>(), "city" => (0..50i64).map(|i| format!("c{}", i % 9)).collect::<Vec<_>>());
    let days = df!("day" => (0..300i64).collect::<Vec<_>>(), "week" => (0..300i64).map(|i| i / 7).collect::<Vec<_>>());
    let cities = df!("city" => (0..8).map(|i| format!("c{i}")).collect::<Vec<_>>(), "land" => (0..8i64).map(|i| i % 3).collect::<Vec<_>>());
    let frame = |table: PolarsResult<DataFrame>, partitions| DFrame::from_polars(table.unwrap(), partitions);
    let asked = frame(days, 2).filter(col("week").lt(lit(5)));
    vec![("sales", frame(sales, 4)), ("shops", frame(shops, 2)), ("days", asked), ("cities", frame(cities, 1))]
}

/// The tables in an order, each joined by the columns that it shares with those before it; `None` when there are none.
fn chain(tables: &[(&'static str, DFrame)], order: &[usize]) -> Option<DFrame> {
    let mut joined = tables[order[0]].1.clone();
    for at in &order[1..] {
        let next = &tables[*at].1;
        let here = joined.columns().unwrap();
        let common: Vec<String> = next.columns().unwrap().into_iter().filter(|name| here.contains(name)).collect();
        if common.is_empty() {
            return None;
        }
        joined = joined.join(next, Join::inner(common));
    }
    Some(joined)
}

fn orders(left: &[usize]) -> Vec<Vec<usize>> {
    match left {
        [] => vec![Vec::new()],
        _ => left
            .iter()
            .flat_map(|first| {
                let rest: Vec<usize> = left.iter().copied().filter(|at| at != first).collect();
                orders(&rest).into_iter().map(move |rest| [vec![*first], rest].concat())
            })
            .collect(),
    }
}

fn by_land(joined: &DFrame) -> DFrame {
    joined.group_by(["land"]).agg([col("amount").sum(), len().alias("rows"), col("week").max(), col("city").n_unique()])
}

#[test]
fn every_written_order_gives_the_same() {
    let tables = tables();
    let mut expected: Option<DataFrame> = None;
    let mut seen = 0;
    for order in orders(&[0, 1, 2, 3]) {
        let Some(joined) = chain(&tables, &order) else { continue };
        seen += 1;
        let lands = by_land(&joined).sort(["land"]);
        for (name, executor) in executors().into_iter().take(4) {
            let found = lands.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}, {order:?}: {e}")).frame;
            let expected = expected.get_or_insert_with(|| found.clone());
            assert_eq!(&found, expected, "{name}, {order:?}\n{}", lands.explain());
        }
        // Not planned as a chain: a frame that two read is joined as it was written.
        let both = DFrame::concat([
            by_land(&joined),
            joined.group_by(["land"]).agg([col("amount").first(), len().alias("rows"), col("week").max(), col("city").n_unique()]),
        ]);
        let rows = both.group_by(["land"]).agg([col("rows").max()]).sort(["land"]).compute().unwrap();
        assert_eq!(&rows, &expected.as_ref().unwrap().select(["land", "rows"]).unwrap(), "{order:?}");
    }
    assert!(seen > 6 && expected.unwrap().height() == 3, "{seen}");
}

/// The tables in the order in which a plan joins them, innermost first, with the two of the first join as they stand.
fn joined(plan: &str) -> Vec<String> {
    let rewritten = plan.split("rewritten\n").nth(1).unwrap_or(plan).split("layers\n").next().unwrap_or_default();
    rewritten
        .lines()
        .filter(|line| line.contains("from_polars"))
        .map(|line| line.split_whitespace().nth(1).unwrap_or_default().to_string())
        .collect()
}

#[test]
fn the_smallest_intermediate_result_comes_first() {
    let tables = tables();
    // Written with all shops and cities first; the days leave fewer rows.
    let lands = by_land(&chain(&tables, &[0, 1, 3, 2]).unwrap());
    let plan = lands.explain();
    assert!(plan.contains("rewritten\n"), "{plan}");
    // Sales, days, then the others.
    assert_eq!(joined(&plan)[..2], ["3000", "300"], "{plan}");
    // What was cheap already stays as it was.
    let cheap = by_land(&chain(&tables, &[0, 2, 1, 3]).unwrap());
    assert_eq!(joined(&cheap.explain())[..2], ["3000", "300"], "{}", cheap.explain());
}

/// Where rows are seen in the order of the first frame they keep it, and so do the columns.
#[test]
fn rows_and_columns_keep_their_order_where_it_is_seen() {
    let tables = tables();
    let written = chain(&tables, &[0, 1, 3, 2]).unwrap();
    let whole: Vec<(&str, DFrame)> = tables.iter().map(|(name, frame)| (*name, DFrame::from_polars(frame.compute().unwrap(), 1))).collect();
    let one_by_one = [0usize, 1, 3, 2].iter().skip(1).fold(whole[0].1.clone(), |joined, at| {
        let done = chain(&[("joined", DFrame::from_polars(joined.compute().unwrap(), 1)), whole[*at].clone()], &[0, 1]).unwrap();
        DFrame::from_polars(done.compute().unwrap(), 1)
    });
    let expected = one_by_one.compute().unwrap();
    assert_close(&written.compute().unwrap(), &expected, true, "rows");
    for seen in [written.limit(7), written.sort(["land"]), written.group_by(["land"]).first(), written.filter(col("amount").gt(lit(3)))] {
        assert!(!seen.explain().contains("select shop"), "{}", seen.explain());
        assert_eq!(joined(&seen.explain()).first().map(String::as_str), Some("3000"));
    }
    let firsts = written.group_by(["land"]).agg([col("amount").first()]).compute().unwrap();
    let of_expected = DFrame::from_polars(expected, 1).group_by(["land"]).agg([col("amount").first()]).compute().unwrap();
    assert_eq!(firsts, of_expected);
    let names = chain(&tables, &[3, 1, 0, 2]).unwrap();
    assert_eq!(names.columns().unwrap(), ["city", "land", "shop", "day", "amount", "week"]);
}

/// Who says that the order of rows is nobody's business has them joined in the cheapest order, and gets the same rows and columns.
#[test]
fn rows_come_in_any_order_where_that_is_said() {
    let tables = tables();
    let written = chain(&tables, &[0, 1, 3, 2]).unwrap();
    let everything = ["amount", "shop", "day", "city", "land", "week"];
    let expected = written.sort(everything).compute().unwrap();
    let free = written.any_order();
    assert_eq!(joined(&free.explain())[..2], ["3000", "300"], "{}", free.explain());
    assert_eq!(free.columns().unwrap(), written.columns().unwrap());
    for (name, executor) in executors() {
        // The sort minds the order of equal rows, and the promise below it goes before.
        assert_eq!(free.sort(everything).compute_on(&*executor).unwrap().frame, expected, "{name}");
        assert_eq!(free.filter(col("land").eq(lit(1))).len().unwrap(), written.filter(col("land").eq(lit(1))).len().unwrap(), "{name}");
    }
    assert_eq!(joined(&free.filter(col("amount").gt(lit(3))).sort(["week"]).explain())[..2], ["3000", "300"]);
    // Who reads the same joins without it sees them as they were written.
    let both = DFrame::concat([written.limit(5), free.limit(5)]);
    assert_eq!(both.limit(5).compute().unwrap(), written.limit(5).compute().unwrap());
}

/// Keys of types that are compared by more than their bits, or whose order is another one.
#[test]
fn keys_of_other_types_are_put_in_order_too() {
    let numbers: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    let types = [
        DataType::Time,
        DataType::Decimal(12, 2),
        DataType::from_categories(Categories::global()),
        DataType::from_frozen_categories(FrozenCategories::new(numbers.iter().map(String::as_str)).unwrap()),
    ];
    for dtype in types {
        let tables: Vec<(&'static str, DFrame)> = tables()
            .into_iter()
            .map(|(name, frame)| match name {
                "sales" | "shops" => {
                    let through = if dtype.is_categorical() || dtype.is_enum() { DataType::String } else { DataType::Int64 };
                    (name, frame.with_column(col("shop").cast(through).cast(dtype.clone())))
                }
                _ => (name, frame),
            })
            .collect();
        let written = by_land(&chain(&tables, &[0, 1, 3, 2]).unwrap()).sort(["land"]);
        assert_eq!(joined(&written.explain())[..2], ["3000", "300"], "{dtype}\n{}", written.explain());
        let expected = by_land(&chain(&self::tables(), &[0, 1, 3, 2]).unwrap()).sort(["land"]).compute().unwrap();
        for (name, executor) in executors() {
            assert_eq!(written.compute_on(&*executor).unwrap().frame, expected, "{name}, {dtype}");
        }
    }
    // Both zeros are equal and are not the same: a chain with such keys is joined as it is written.
    let float = |frame: &DFrame| frame.with_column(col("shop").cast(DataType::Float64));
    let tables: Vec<(&'static str, DFrame)> =
        tables().into_iter().map(|(name, frame)| (name, if name == "sales" || name == "shops" { float(&frame) } else { frame })).collect();
    let written = by_land(&chain(&tables, &[0, 1, 3, 2]).unwrap());
    assert_eq!(joined(&written.explain())[..2], ["3000", "50"], "{}", written.explain());
}

/// Keys of other names, columns of one name told apart by a suffix, renamed and picked columns between the joins, several keys.
#[test]
fn names_do_not_get_in_the_way() {
    let facts = df!(
        "a" => (0..2000i64).map(|i| i % 40).collect::<Vec<_>>(),
        "b" => (0..2000i64).map(|i| i % 30).collect::<Vec<_>>(),
        "v" => (0..2000i64).collect::<Vec<_>>()
    );
    let one = df!("id" => (0..40i64).collect::<Vec<_>>(), "v" => (0..40i64).map(|i| i * 10).collect::<Vec<_>>());
    let two = df!("id" => (0..30i64).collect::<Vec<_>>(), "v" => (0..30i64).map(|i| i * 100).collect::<Vec<_>>());
    let pairs = df!("x" => (0..40i64).collect::<Vec<_>>(), "y" => (0..40i64).map(|i| i % 30).collect::<Vec<_>>(), "w" => (0..40i64).collect::<Vec<_>>());
    let frame = |table: PolarsResult<DataFrame>| DFrame::from_polars(table.unwrap(), 2);
    let few = frame(two).filter(col("v").lt(lit(500)));
    let written = frame(facts)
        .join(&frame(one), Join::inner(["a"]).right_on(["id"]).suffix("_one"))
        .select([col("b").alias("bb"), col("a"), col("v"), col("v_one")])
        .join(&frame(pairs), Join::inner(["a", "bb"]).right_on(["x", "y"]))
        .join(&few, Join::inner(["bb"]).right_on(["id"]).suffix("_two"));
    let sums =
        |t: &DFrame| t.group_by(["bb"]).agg([col("v").sum(), col("v_one").sum(), col("v_two").sum(), col("w").max(), len()]).sort(["bb"]);
    let expected = sums(&DFrame::from_polars(written.compute().unwrap(), 1)).compute().unwrap();
    assert!(expected.height() > 1);
    assert!(sums(&written).explain().contains("rewritten\n"));
    for (name, executor) in executors() {
        assert_eq!(sums(&written).compute_on(&*executor).unwrap().frame, expected, "{name}\n{}", sums(&written).explain());
    }
}

/// Bounds of row groups tell that a key has few values, so that a join that multiplies rows is put off.
#[test]
fn bounds_of_files_count() {
    let folder = tempfile::tempdir().unwrap();
    let n = |count: i64, of: fn(i64) -> i64| (0..count).map(of).collect::<Vec<_>>();
    let customers = df!("customer" => n(1500, |i| i), "nation" => n(1500, |i| i % 25));
    let suppliers = df!("supplier" => n(200, |i| i), "nation" => n(200, |i| i % 25));
    let orders = df!("customer" => n(6000, |i| i % 1500), "supplier" => n(6000, |i| i * 7 % 200), "price" => n(6000, |i| i % 13));
    let read = |name: &str, table: PolarsResult<DataFrame>| {
        let path = folder.path().join(name);
        DFrame::from_polars(table.unwrap(), 3).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
        DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(2000u64)).unwrap()
    };
    let (customers, suppliers, orders) = (read("customers", customers), read("suppliers", suppliers), read("orders", orders));
    let local = customers.join(&suppliers, Join::inner(["nation"])).join(&orders, Join::inner(["customer", "supplier"]));
    let told = local.group_by(["nation"]).agg([col("price").sum()]).sort_with(["nation"], SortMultipleOptions::default());
    let plan = told.explain();
    let rewritten = plan.split("rewritten\n").nth(1).unwrap_or_default();
    // Suppliers do not come after the customers alone.
    assert!(rewritten.contains("join inner on") && !rewritten.contains("join inner on nation  ("), "{plan}");
    let expected = DFrame::from_polars(local.compute().unwrap(), 1).group_by(["nation"]).agg([col("price").sum()]).sort(["nation"]);
    assert_eq!(told.compute().unwrap(), expected.compute().unwrap(), "{plan}");
}
