//! Plans as golden files: steps, rewritten steps, layers. `UPDATE_EXPECT=1` writes them anew.

use super::check::file;
use partita::prelude::*;

fn check(name: &str, frame: &DFrame, folder: &str) {
    let found = frame.explain().replace(folder, "FOLDER") + "\n";
    let path = format!("{}/tests/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plans")).unwrap();
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "plan {name} changed (UPDATE_EXPECT=1 accepts it)\n--- found\n{found}\n--- expected\n{expected}");
}

#[test]
fn plans() {
    let (folder, path) = file("t.csv", format!("k,x,y,t\n{}", "a,1,0.5,text\nb,2,1.5,more\n".repeat(100)));
    let folder = folder.path().to_string_lossy().into_owned();
    let t = DFrame::read_csv_with(&path, CsvOptions::new().blocksize(500u64)).unwrap();
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
}
