//! Plans as golden files: steps, rewritten steps, layers. `UPDATE_EXPECT=1` writes them anew.

use super::check::file;
use partita::prelude::*;

/// What is wrong with a plan, if it is not the golden one.
fn changed(name: &str, frame: &DFrame, folder: &str) -> Option<String> {
    let found = frame.explain().replace(folder, "FOLDER") + "\n";
    let path = format!("{}/tests/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plans")).unwrap();
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let told = || format!("plan {name} changed (UPDATE_EXPECT=1 accepts it)\n--- found\n{found}\n--- expected\n{expected}");
    (found != expected).then(told)
}

#[test]
fn plans() {
    let (folder, path) = file("t.csv", format!("k,x,y,t\n{}", "a,1,0.5,text\nb,2,1.5,more\n".repeat(100)));
    let folder = folder.path().to_string_lossy().into_owned();
    let t = DFrame::read_csv_with(&path, CsvOptions::new().blocksize(500u64)).unwrap();
    let mut all: Vec<String> = Vec::new();
    let mut check = |name: &str, frame: &DFrame, folder: &str| all.extend(changed(name, frame, folder));
    check("mean", &t.group_by("k").mean(), &folder);
    check("filter_and_select", &t.filter(col("x").gt(lit(1)).and(col("k").eq(lit("a")))).select(["y"]), &folder);
    check(
        "filter_through_steps",
        &t.with_column((col("x") * lit(2)).alias("d")).rename([("k", "key")]).filter(col("key").eq(lit("a")).and(col("d").gt(lit(1)))),
        &folder,
    );
    check("filter_through_group_by", &t.group_by("k").agg([col("x").sum()]).filter(col("k").eq(lit("a"))), &folder);
    check("split", &t.group_by("x").split_out(3).agg([col("y").var(1)]), &folder);
    check("exact", &t.group_by("k").agg([col("x").median()]), &folder);
    check("length", &t.agg([len()]), &folder);
    check("repartition", &t.repartition(3).select(["x"]), &folder);
    let table = |rows: i64, keys: [&str; 2], modulus: i64| {
        let column = |by: i64| (0..rows).map(|i| i * by % modulus).collect::<Vec<_>>();
        DFrame::from_polars(df!(keys[0] => column(1), keys[1] => column(7)).unwrap(), 2)
    };
    let (sales, shops, days) = (table(4000, ["shop", "day"], 400), table(400, ["shop", "city"], 400), table(400, ["day", "week"], 400));
    let few = days.filter(col("week").lt(lit(20))).filter(col("day").gt(lit(3)));
    let chain = sales.join(&shops, Join::inner(["shop"])).join(&few, Join::inner(["day"]));
    check("join_as_written", &chain.limit(3), &folder);
    let skewed = sales.with_column((col("shop") * lit(0)).alias("shop")).repartition(3);
    check("skew", &skewed.join(&shops, Join::left(["shop"]).broadcast(false)), &folder);
    assert!(all.is_empty(), "{}", all.join("\n"));
}
