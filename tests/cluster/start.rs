//! What all of these tests begin with.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use partita::graph::Key;
use partita::prelude::*;
use partita::{Client, LocalCluster};

use crate::bits::bits;

/// A cluster of the stock program's workers, one thread each, and a client of it that is not the current one.
pub fn cluster(workers: usize) -> (LocalCluster, Client) {
    let cluster = LocalCluster::builder().workers(workers).threads_per_worker(1).program(env!("CARGO_BIN_EXE_partita"));
    let cluster = cluster.memory_limit("1GiB").start().expect("workers start");
    let client = cluster.connect().expect("the scheduler answers");
    client.wait_for_workers(workers, Duration::from_secs(60)).expect("all workers join");
    (cluster, client)
}

/// A client by the file that a scheduler wrote. Not the current one, as which it comes: tests that stand in the same process read files meanwhile,
/// and would ask a cluster about them that is about to end.
pub fn by_file(file: &Path) -> Client {
    static HERE: OnceLock<Client> = OnceLock::new();
    let client = Client::scheduler_file(file).expect("the scheduler answers");
    HERE.get_or_init(|| Client::builder().threads(2).build().expect("a local engine starts")).set_as_current();
    client
}

/// Rows in so many files, and what is to be found in them.
pub fn files(count: usize, rows: usize) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in 0..count {
        let mut out =
            std::io::BufWriter::new(std::fs::File::create(folder.path().join(format!("{file}.csv"))).expect("the folder can be written"));
        writeln!(out, "k,x,y").unwrap();
        for row in 0..rows {
            let number = (file * rows + row) as u64 * 2_654_435_761 % 100_003;
            writeln!(out, "key{},{},{}.5", number % 17, number % 1000, number % 7).unwrap();
        }
    }
    let pattern = folder.path().join("*.csv").to_string_lossy().into_owned();
    (folder, pattern)
}

/// The job of most tests: read, filter, aggregate.
pub fn job(pattern: &str) -> DFrame {
    let frame = DFrame::read_csv_with(pattern, CsvOptions::new().blocksize("64KiB")).expect("the files are there");
    frame.filter(col("x").gt(lit(10))).group_by(["k"]).agg([
        col("x").sum(),
        col("y").mean(),
        col("y").std(1).alias("spread"),
        len().alias("n"),
    ])
}

/// The same on threads of this process: the reference.
pub fn here(frame: &DFrame) -> DataFrame {
    let local = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    local.compute(frame).expect("the job works here")
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Signal 9.
pub fn kill(pid: u32) {
    signal(pid, "-9");
}

fn signal(pid: u32, which: &str) {
    let status = Command::new("kill").args([which, &pid.to_string()]).status().expect("kill runs");
    assert!(status.success(), "process {pid} does not get {which}");
}

/// A process that stands still until this is dropped.
pub struct Stopped {
    pub pid: u32,
}

impl Stopped {
    pub fn new(pid: u32) -> Self {
        signal(pid, "-STOP");
        Self { pid }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = Command::new("kill").args(["-CONT", &self.pid.to_string()]).stderr(Stdio::null()).status();
    }
}

/// Waits until so many workers serve, and this process is none of them.
pub fn until_replaced(client: &Client, gone: u32, count: usize) {
    until("another process serves in its place", || {
        let workers = client.scheduler_info().unwrap().workers;
        workers.len() == count && workers.iter().all(|worker| worker.connected && worker.pid != gone)
    });
}

/// How often these tasks were given to a worker, as far as the scheduler remembers: its last 8,192 happenings.
pub fn tries(client: &Client, keys: &[Key]) -> usize {
    keys.iter().map(|key| client.story(*key).unwrap().iter().filter(|line| line.contains("given to")).count()).sum()
}

/// The same columns, and the same bits in every cell.
pub fn assert_same(found: &DataFrame, expected: &DataFrame, case: &str) {
    assert_eq!(found.schema(), expected.schema(), "{case}");
    assert!(bits(found) == bits(expected), "{case}: {found} is not {expected}");
}
