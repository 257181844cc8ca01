//! The one check that all cases go through.

use std::io::Write;
use std::sync::OnceLock;

use partita::graph::{Executor, Failure, Serial};
use partita::polars::prelude::*;
use partita::{Client, Code, DFrame, LocalCluster, operator_registry};
use partita_sim::SimExecutor;

pub use crate::bits::bits;

/// The executor in other processes, which closures do not reach.
const CLUSTER: &str = "Cluster(2)";

/// Simulator seeds of each case. Each has its own workers, deaths, delays and doubled messages.
const SEEDS: [u64; 3] = [1, 20, 300];

/// Engines that all cases share: starting threads for each case would cost more than the cases.
fn locals() -> &'static [(&'static str, Client); 2] {
    static LOCALS: OnceLock<[(&str, Client); 2]> = OnceLock::new();
    LOCALS.get_or_init(|| {
        let local = |threads| {
            Client::builder().threads(threads).check_invariants(true).set_as_default(false).build().expect("a local engine starts")
        };
        [("Local(1)", local(1)), ("Local(4)", local(4))]
    })
}

/// Two worker processes that all cases share. They end with this process, whose end they see.
fn cluster() -> &'static Client {
    static CLUSTER: OnceLock<(LocalCluster, Client)> = OnceLock::new();
    let (_, client) = CLUSTER.get_or_init(|| {
        let cluster = LocalCluster::builder().workers(2).threads_per_worker(1).program(env!("CARGO_BIN_EXE_partita")).start();
        let cluster = cluster.expect("worker processes start");
        let client = cluster.connect().expect("their scheduler answers");
        (cluster, client)
    });
    client
}

/// Every executor, by name.
pub fn executors() -> Vec<(String, Box<dyn Executor>)> {
    let mut all: Vec<(String, Box<dyn Executor>)> = vec![("Serial".into(), Box::new(Serial::new(operator_registry())))];
    for (name, client) in locals() {
        all.push(((*name).into(), Box::new(client.clone())));
    }
    all.push((CLUSTER.into(), Box::new(cluster().clone())));
    for seed in SEEDS {
        all.push((format!("Sim({seed})"), Box::new(SimExecutor::new(seed, operator_registry()))));
    }
    all
}

/// Text as a polars frame, by polars' own parser: the reference that our reader is not part of.
pub fn table(csv: &str) -> DataFrame {
    let clean: Vec<&str> = csv.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let bytes = clean.join("\n") + "\n";
    let options = polars_io::csv::read::CsvReadOptions::default();
    polars_io::SerReader::finish(options.into_reader_with_file_handle(std::io::Cursor::new(bytes))).expect("the table of a case is CSV")
}

/// Runs `operation` on the table in 1, 2 and 5 partitions on every executor; rows may come in any order.
pub fn check(csv: &str, operation: impl Fn(&DFrame) -> DFrame, expected: &str) {
    check_frame(&table(csv), operation, &table(expected), false);
}

/// The same, rows in this order.
pub fn check_in_order(csv: &str, operation: impl Fn(&DFrame) -> DFrame, expected: &str) {
    check_frame(&table(csv), operation, &table(expected), true);
}

/// The same for frames. Also: for one partitioning all executors agree bit by bit.
pub fn check_frame(input: &DataFrame, operation: impl Fn(&DFrame) -> DFrame, expected: &DataFrame, in_order: bool) {
    for partitions in [1, 2, 5] {
        let frame = operation(&DFrame::from_polars(input.clone(), partitions));
        let mut oracle: Option<DataFrame> = None;
        for (name, executor) in executors() {
            let found = match frame.compute_on(&*executor) {
                Ok(computed) => computed.frame,
                Err(e) if name == CLUSTER && e.code == Code::ClosureOnCluster => continue,
                Err(e) => panic!("{name}, {partitions} partitions: {e}"),
            };
            assert_close(&found, expected, in_order, &format!("{name}, {partitions} partitions"));
            let oracle = oracle.get_or_insert_with(|| found.clone());
            assert!(bits(&found) == bits(oracle), "{name}, {partitions} partitions: not the bits of Serial\n{found}\n{oracle}");
        }
    }
}

/// Equal in names, types and values; floats to 1e-9 of their size.
pub fn assert_close(found: &DataFrame, expected: &DataFrame, in_order: bool, case: &str) {
    assert_eq!(found.schema(), expected.schema(), "{case}: schema\nfound {found}\nexpected {expected}");
    assert_eq!(found.height(), expected.height(), "{case}: rows\nfound {found}\nexpected {expected}");
    let (found, expected) = if in_order { (found.clone(), expected.clone()) } else { (sorted(found), sorted(expected)) };
    for (f, e) in found.columns().iter().zip(expected.columns()) {
        for row in 0..f.len() {
            let (f, e) = (f.get(row).expect("in bounds"), e.get(row).expect("in bounds"));
            assert!(same(&f, &e), "{case}: row {row}: {f} is not {e}\nfound {found}\nexpected {expected}");
        }
    }
}

fn sorted(frame: &DataFrame) -> DataFrame {
    let names: Vec<PlSmallStr> = frame.schema().iter_names().cloned().collect();
    if names.is_empty() {
        return frame.clone();
    }
    frame.sort(names, SortMultipleOptions::default().with_nulls_last(true)).expect("plain columns sort")
}

fn same(found: &AnyValue<'_>, expected: &AnyValue<'_>) -> bool {
    match (found, expected) {
        (AnyValue::Float64(f), AnyValue::Float64(e)) => {
            (f.is_nan() && e.is_nan()) || f == e || (f - e).abs() <= 1e-9 * f.abs().max(e.abs())
        }
        (AnyValue::Float32(f), AnyValue::Float32(e)) => {
            (f.is_nan() && e.is_nan()) || f == e || (f - e).abs() <= 1e-4 * f.abs().max(e.abs())
        }
        // polars compares no structs of text.
        (AnyValue::Struct(..) | AnyValue::StructOwned(_), _) => {
            format!("{:?}", found.clone().into_static()) == format!("{:?}", expected.clone().into_static())
        }
        _ => found == expected,
    }
}

/// A file with this content in a folder that lives as long as the guard.
pub fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::File::create(&path).and_then(|mut file| file.write_all(content.as_ref())).expect("the folder can be written");
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// Computes on every executor and expects the same failure of this code everywhere; returns its text.
pub fn failure(frame: &DFrame, code: partita::Code) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (name, executor) in executors() {
        let failure: Failure = match frame.compute_on(&*executor) {
            Ok(computed) => panic!("{name}: expected {code}, got\n{}", computed.frame),
            Err(failure) if name == CLUSTER && failure.code == Code::ClosureOnCluster => continue,
            Err(failure) => failure,
        };
        assert_eq!(failure.code, code, "{name}: {failure}");
        texts.push(failure.to_string());
    }
    texts.swap_remove(0)
}
