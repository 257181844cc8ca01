//! Plans as golden files: steps, rewritten steps, layers. `UPDATE_EXPECT=1` writes them anew.

use std::sync::Mutex;

use super::check::file;
use partita::graph::{Executor, Failure, Graph, Run, RunEach, Serial};
use partita::operator_registry;
use partita::polars::prelude::RollingOptionsFixedWindow;
use partita::prelude::*;

/// Plans that were compared with their files, and what differs, so that one run tells all of it.
struct Plans {
    folder: String,
    changed: Vec<String>,
}

impl Plans {
    /// With this folder of the moment left out of the plans.
    fn in_folder(folder: &tempfile::TempDir) -> Self {
        Self { folder: folder.path().to_string_lossy().into_owned(), changed: Vec::new() }
    }

    fn check(&mut self, name: &str, frame: &DFrame) {
        self.check_text(name, &frame.explain());
    }

    fn check_text(&mut self, name: &str, plan: &str) {
        let found = plan.replace(&self.folder, "FOLDER") + "\n";
        let path = format!("{}/tests/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plans")).unwrap();
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            self.changed.push(format!("plan {name} changed (UPDATE_EXPECT=1 accepts it)\n--- found\n{found}\n--- expected\n{expected}"));
        }
    }
}

impl Drop for Plans {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.changed.is_empty(), "{}", self.changed.join("\n"));
    }
}

#[test]
fn plans() {
    let (folder, path) = file("t.csv", format!("k,x,y,t\n{}", "a,1,0.5,text\nb,2,1.5,more\n".repeat(100)));
    let mut plans = Plans::in_folder(&folder);
    let t = DFrame::read_csv_with(&path, CsvOptions::new().blocksize(500u64)).unwrap();
    plans.check("mean", &t.group_by("k").mean());
    plans.check("filter_and_select", &t.filter(col("x").gt(lit(1)).and(col("k").eq(lit("a")))).select(["y"]));
    plans.check(
        "filter_through_steps",
        &t.with_column((col("x") * lit(2)).alias("d")).rename([("k", "key")]).filter(col("key").eq(lit("a")).and(col("d").gt(lit(1)))),
    );
    plans.check("filter_through_group_by", &t.group_by("k").agg([col("x").sum()]).filter(col("k").eq(lit("a"))));
    plans.check("split", &t.group_by("x").split_out(3).agg([col("y").var(1)]));
    plans.check("exact", &t.group_by("k").agg([col("x").median()]));
    plans.check("length", &t.agg([len()]));
    plans.check("repartition", &t.repartition(3).select(["x"]));
    plans.check("limit", &t.with_column((col("x") * lit(2)).alias("d")).limit(3));
    plans.check("first_of_sort", &t.sort(["y", "k"]).select(["x"]).limit(3));
    // The same table twice, and the same rows for two aggregates.
    let again = DFrame::read_csv_with(&path, CsvOptions::new().blocksize(500u64)).unwrap();
    let (most, sums) = (t.group_by(["k"]).agg([col("x").max()]), again.group_by(["k"]).agg([col("y").sum()]));
    plans.check("common_subplan", &most.join(&sums, Join::inner(["k"])));
}

/// Whole numbers in two columns, in two partitions.
fn table(rows: i64, keys: [&str; 2], modulus: i64) -> DFrame {
    let column = |by: i64| (0..rows).map(|i| i * by % modulus).collect::<Vec<_>>();
    DFrame::from_polars(df!(keys[0] => column(1), keys[1] => column(7)).unwrap(), 2)
}

/// Nobody knows the size of some partitions.
fn unknown(frame: &DFrame) -> DFrame {
    frame.partitions(0..frame.npartitions().unwrap())
}

#[test]
fn plans_of_joins() {
    let folder = tempfile::tempdir().unwrap();
    let mut plans = Plans::in_folder(&folder);
    let (sales, shops, days) = (table(4000, ["shop", "day"], 400), table(400, ["shop", "city"], 400), table(400, ["day", "week"], 400));
    let few = days.filter(col("week").lt(lit(20))).filter(col("day").gt(lit(3)));
    let chain = sales.join(&shops, Join::inner(["shop"])).join(&few, Join::inner(["day"]));
    plans.check("join_order", &chain.group_by(["city"]).agg([len(), col("week").max()]));
    plans.check("join_as_written", &chain.limit(3));
    plans.check("join_any_order", &chain.any_order());
    let skewed = sales.with_column((col("shop") * lit(0)).alias("shop")).repartition(3);
    plans.check("skew", &skewed.join(&shops, Join::left(["shop"]).broadcast(false)));
    plans.check("join_shuffled", &sales.join(&shops, Join::inner(["shop"]).broadcast(false)));
    let spread = |frame: &DFrame| frame.shuffle(["shop"], 4);
    let together = spread(&sales).join(&spread(&shops), Join::inner(["shop"]).broadcast(false));
    plans.check("join_of_spread_frames", &together.group_by(["shop"]).agg([col("day").median()]));
    let sorted = |rows: i64, other: &str| table(rows, ["k", other], rows).sorted_by("k").unwrap();
    plans.check("join_of_sorted_frames", &sorted(4000, "x").join(&sorted(1500, "y"), Join::inner(["k"]).broadcast(false)));
    // The right side is larger than what is handed to all partitions.
    let many = DFrame::from_polars(df!("shop" => (0..600_000i64).collect::<Vec<_>>()).unwrap(), 2);
    plans.check("join_by_marks", &shops.join(&many, Join::semi(["shop"])));
    let filtered = sales.join(&shops, Join::left(["shop"])).filter(col("shop").lt(lit(9)).and(col("day").gt(lit(2))));
    plans.check("filter_through_join", &filtered.select(["day", "city"]));
    let quotes = shops.rename([("shop", "day")]);
    plans.check("asof_small", &sales.join_asof(&quotes, AsOf::on("day").tolerance(2)));
    plans.check("asof_in_ranges", &unknown(&sales).join_asof(&unknown(&quotes), AsOf::on("day").nearest()));
}

#[test]
fn plans_of_rows_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut plans = Plans::in_folder(&folder);
    let t = table(4000, ["k", "x"], 400);
    plans.check("sort_in_ranges", &t.sort(["x", "k"]));
    let last = RollingOptionsFixedWindow { window_size: 3, min_periods: 1, weights: None, center: false, fn_params: None };
    plans.check(
        "windows",
        &t.select([
            col("x").sum().over([col("k")]).unwrap().alias("of key"),
            col("x").rolling_sum(last).alias("of three"),
            col("x").cum_sum(false).alias("so far"),
            col("x").shift(lit(1)).alias("before"),
        ]),
    );
    let times = table(4000, ["t", "x"], 4000).sorted_by("t").unwrap();
    plans.check("windows_of_time", &times.filter(col("t").gt(lit(100))).rolling_by("t", "10i").select(["x"]).max());
}

/// Runs graphs one task after the other, and keeps what they look like.
struct Kept {
    serial: Serial,
    plans: Mutex<Vec<String>>,
}

impl Executor for Kept {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        self.plans.lock().unwrap().push(graph.explain());
        self.serial.submit(graph)
    }

    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
        self.serial.submit_each(graph)
    }

    fn threads(&self) -> usize {
        self.serial.threads()
    }
}

#[test]
fn plans_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut plans = Plans::in_folder(&folder);
    let place = |name: &str| folder.path().join(name);
    let rows = table(4000, ["x", "k"], 4000).with_column(col("k") % lit(4));
    // Eight row groups, in pieces as small as there are: of one row.
    rows.to_parquet(place("t"), ParquetWriteOptions::new().row_group_rows(500)).unwrap();
    let t = DFrame::read_parquet_with(place("t"), ParquetOptions::new().blocksize(1u64)).unwrap();
    plans.check("parquet_pruned", &t.filter(col("x").gt(lit(2600))).select(["k"]));
    plans.check("parquet_length", &t.agg([len()]));
    rows.repartition(1).to_parquet(place("h"), ParquetWriteOptions::new().partition_by(["k"])).unwrap();
    let h = DFrame::read_parquet_with(place("h"), ParquetOptions::new().blocksize(1u64)).unwrap();
    plans.check("hive", &h.filter(col("k").eq(lit(3))).agg([col("x").max()]));
    let kept = Kept { serial: Serial::new(operator_registry()), plans: Mutex::default() };
    rows.filter(col("k").gt(lit(1))).to_parquet_on(&kept, place("w"), ParquetWriteOptions::new()).unwrap();
    plans.check_text("write", &kept.plans.lock().unwrap().join("\n"));
}
