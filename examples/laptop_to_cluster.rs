//! The same function on the threads of this process, on worker processes that this program starts, and on a cluster that was
//! started from the command line; also with a worker killed half-way. All results are equal, bit by bit.
//!
//! ```text
//! cargo build --release --bins && cargo run --release --example laptop_to_cluster
//! ```

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use partita::graph::Key;
use partita::prelude::*;
use partita::{Code, Error, LocalCluster};

/// The job. It knows nothing of where it runs.
fn mean_delays(data: &Path) -> Result<DataFrame, Error> {
    let pattern = data.join("*.csv");
    let flights = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("128KiB"))?;
    let late = flights.filter(col("delay").gt(lit(0.0)));
    late.groupby(["origin", "carrier"]).agg([col("delay").mean(), col("delay").std(1).alias("spread"), len().alias("flights")]).compute()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Worker processes of this program begin here too; for them this call does not return.
    partita::run();

    let data = tempfile::tempdir()?;
    write_flights(data.path())?;

    let laptop = Client::local()?;
    let expected = mean_delays(data.path())?;
    println!("in this process: {} rows", expected.height());
    drop(laptop);

    let cluster = LocalCluster::builder().workers(2).threads_per_worker(1).start()?;
    let client = cluster.client()?;
    client.wait_for_workers(2, Duration::from_secs(60))?;
    same(&expected, &mean_delays(data.path())?, "on two worker processes");

    killed_half_way(&client, data.path(), &expected, "with a worker killed half-way")?;
    drop(client);
    drop(cluster);

    let shell = CommandLine::start(data.path())?;
    let client = Client::scheduler_file(&shell.file)?;
    client.wait_for_workers(2, Duration::from_secs(60))?;
    same(&expected, &mean_delays(data.path())?, "on a scheduler and two workers from the command line");
    killed_half_way(&client, data.path(), &expected, "there with a worker killed half-way")?;
    client.shutdown()?;
    Ok(())
}

fn same(expected: &DataFrame, got: &DataFrame, place: &str) {
    assert!(expected.equals_missing(got) && numbers(expected) == numbers(got), "{place}: another result");
    println!("{place}: the same");
}

/// The bits of all numbers with a fraction: numbers that are equal may still differ in them.
fn numbers(frame: &DataFrame) -> Vec<Option<u64>> {
    let columns = frame.columns().iter().filter_map(|column| column.f64().ok());
    columns.flat_map(|column| column.iter().map(|number| number.map(f64::to_bits))).collect()
}

/// So many parts of the job are done by a worker when it is killed.
const PART: usize = 4;

/// The job with one of two workers killed once it has done a part: what it had done is lost and made again. A job that was faster than the
/// kill proves nothing, and is run once more.
fn killed_half_way(client: &Client, data: &Path, expected: &DataFrame, place: &str) -> Result<(), Error> {
    for _ in 0..20 {
        let workers = client.scheduler_info()?.workers;
        let Some(victim) = workers.iter().find(|worker| worker.connected) else { continue };
        let folder = data.to_owned();
        let job = std::thread::spawn(move || mean_delays(&folder));
        let mut held: Vec<Key> = Vec::new();
        while held.len() < PART && !job.is_finished() {
            let holding = client.has_what(Some(&victim.about.name))?;
            held = holding.into_iter().flat_map(|(_, chunks)| chunks).map(|(key, _)| key).collect();
        }
        let before = tries(client, &held)?;
        kill(victim.pid).map_err(|error| Error::new(Code::Internal, format!("no program `kill`: {error}")))?;
        let under_way = !job.is_finished();
        same(expected, &job.join().expect("the job does not panic")?, place);
        let again = tries(client, &held)?.saturating_sub(before);
        // Its nanny starts another.
        while client.scheduler_info()?.workers.iter().any(|worker| worker.pid == victim.pid) {
            std::thread::sleep(Duration::from_millis(10));
        }
        client.wait_for_workers(2, Duration::from_secs(60))?;
        if under_way && again > 0 {
            println!("  {} parts were lost, and tasks of them were run {again} times again", held.len());
            return Ok(());
        }
    }
    Err(Error::new(Code::Internal, format!("{place}: the job ended before the kill, each time")))
}

/// How often these tasks were given to a worker.
fn tries(client: &Client, keys: &[Key]) -> Result<usize, Error> {
    let mut given = 0;
    for key in keys {
        given += client.story(*key)?.iter().filter(|line| line.contains("given to")).count();
    }
    Ok(given)
}

fn kill(pid: u32) -> std::io::Result<()> {
    Command::new("kill").args(["-9", &pid.to_string()]).status().map(drop)
}

/// A scheduler and two workers as a person would start them in three terminals.
struct CommandLine {
    file: std::path::PathBuf,
    children: Vec<Child>,
}

impl CommandLine {
    fn start(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let program = program()?;
        let file = folder.join("scheduler.json");
        let spawn = |args: &[&str]| Command::new(&program).args(args).arg("--scheduler-file").arg(&file).stdout(Stdio::null()).spawn();
        let mut children = vec![spawn(&["scheduler", "--port", "0", "--http-port", "0"])?];
        let begun = Instant::now();
        while !file.exists() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("the scheduler did not write its file within 30 s".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..2 {
            children.push(spawn(&["worker", "--nthreads", "1"])?);
        }
        Ok(Self { file, children })
    }
}

impl Drop for CommandLine {
    fn drop(&mut self) {
        for child in &mut self.children {
            // They end with the scheduler; whoever did not is stopped.
            for _ in 0..100 {
                if !matches!(child.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The `partita` program: named by `PARTITA_PROGRAM`, or built beside this example, or installed.
fn program() -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    if let Some(named) = std::env::var_os("PARTITA_PROGRAM") {
        return Ok(named.into());
    }
    let here = std::env::current_exe()?;
    let beside = here.ancestors().skip(1).take(2).map(|folder| folder.join("partita")).find(|path| path.is_file());
    let found = beside.unwrap_or_else(|| "partita".into());
    match Command::new(&found).arg("--version").stdout(Stdio::null()).status() {
        Ok(_) => Ok(found),
        Err(_) => Err("the program `partita` is not there: build it with `cargo build --release --bins`".into()),
    }
}

/// Four files of flights, about 8 MB.
fn write_flights(folder: &Path) -> std::io::Result<()> {
    for month in 1..=4u64 {
        let mut text = String::from("origin,carrier,delay\n");
        for row in 0..120_000u64 {
            let number = (row + month * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
            let origin = ["EWR", "JFK", "LGA"][(number % 3) as usize];
            let carrier = ["AA", "B6", "DL", "UA"][(number / 7 % 4) as usize];
            text.push_str(&format!("{origin},{carrier},{}.{}\n", (number / 31 % 240) as i64 - 60, number % 10));
        }
        std::fs::write(folder.join(format!("month{month}.csv")), text)?;
    }
    Ok(())
}
