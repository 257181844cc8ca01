//! Batch scoring: rows on disk, an ONNX model, predictions written once as Parquet; in this process or on worker processes.
//!
//! ```text
//! cargo run --release --example ml_scoring -- --rows 10000000              all three ways, in this process
//! cargo run --release --example ml_scoring -- --workers 2 --kill           on two worker processes, one killed when half is done
//! cargo run --release --example ml_scoring -- --way worker --batch 24,72,264,312,1056 --chart docs/ml_scoring_batch.svg
//! cargo run --release --example ml_scoring -- --baseline                   beside a hand-written loop on the same threads
//! ```
//!
//! `docs/ml_scoring.md` tells what was measured. The allocator is mimalloc: the system's gives the model's buffers back and asks
//! for them anew with every batch.

#[path = "../../benches/chart.rs"]
mod chart;
mod columns;
mod data;
#[cfg(target_arch = "x86_64")]
mod kernel;
mod model;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use partita::polars::prelude::{ParquetReader, ParquetWriter, SerReader};
use partita::prelude::*;
use partita::{Code, Delayed, Error, LocalCluster, Topic, delayed, task, worker_state};

use model::{Model, schema, score};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Scores rows with an ONNX model in three ways, and compares what they cost.
#[derive(Parser)]
struct Wishes {
    /// Rows to make and to score.
    #[arg(long, default_value_t = 200_000)]
    rows: u64,
    /// Ways to bring the model to the rows.
    #[arg(long, value_enum, value_delimiter = ',')]
    way: Vec<Way>,
    /// Rows that are given to the model at a time; several to compare them.
    #[arg(long, value_delimiter = ',', default_value = "312")]
    batch: Vec<usize>,
    /// Read the rows from Parquet instead of CSV.
    #[arg(long)]
    parquet: bool,
    /// Worker processes; 0 for the threads of this process.
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Kill a worker half-way, and compare the output with that of a run without it.
    #[arg(long, requires = "workers")]
    kill: bool,
    /// Bytes of a partition of CSV, as `64KiB`. Default: by the size of the files.
    #[arg(long)]
    blocksize: Option<String>,
    /// Also score with a hand-written loop on as many threads.
    #[arg(long)]
    baseline: bool,
    /// Draw rows a second over the size of the batch.
    #[arg(long)]
    chart: Option<PathBuf>,
    /// A folder for data and output that stays. Default: a temporary one.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Runs of which the fastest is told.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Way {
    /// Each task loads the model.
    Task,
    /// Each worker's process loads it once.
    Worker,
    /// It is scattered as a value.
    Value,
}

const WAYS: [Way; 3] = [Way::Task, Way::Worker, Way::Value];

/// Tells whoever listens how many rows are done: the progress bar of the program that waits.
fn tell(rows: usize) -> Result<(), Error> {
    Topic::<u64>::new("scored")?.publish(&(rows as u64)).map(drop)
}

#[task]
fn score_loading(rows: &DataFrame, batch: usize) -> Result<DataFrame, Error> {
    let scored = score(&model::load(model::FILE, batch)?, rows, batch)?;
    tell(scored.height())?;
    Ok(scored)
}

/// Loaded on first use in each worker's process.
#[worker_state]
fn shared_model() -> Model {
    Model::new(model::FILE.to_vec())
}

#[task]
fn score_with_state(rows: &DataFrame, batch: usize) -> Result<DataFrame, Error> {
    let scored = score(&shared_model::get()?.plan(batch)?, rows, batch)?;
    tell(scored.height())?;
    Ok(scored)
}

#[task]
fn score_with_value(rows: &DataFrame, batch: usize, model: &Model) -> Result<DataFrame, Error> {
    let scored = score(&model.plan(batch)?, rows, batch)?;
    tell(scored.height())?;
    Ok(scored)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    partita::run();
    let mut wishes = Wishes::parse();
    if wishes.way.is_empty() {
        wishes.way = WAYS.to_vec();
    }
    let temporary = tempfile::tempdir()?;
    let folder = wishes.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    agrees_with_onnxruntime()?;
    let input = make(&wishes, &folder)?;

    let cluster = match wishes.workers {
        0 => None,
        workers => Some(LocalCluster::builder().workers(workers).threads_per_worker(1).start()?),
    };
    let client = match &cluster {
        Some(cluster) => cluster.client()?,
        None => Client::local()?,
    };
    println!("| way | batch | s | rows/s |\n| --- | ---: | ---: | ---: |");
    let mut outputs = Vec::new();
    let mut curve = Vec::new();
    for way in &wishes.way {
        for batch in &wishes.batch {
            let output = folder.join(format!("{way:?}-{batch}"));
            let times = (0..wishes.repeat).map(|_| run(&client, &wishes, &input, *way, *batch, &output)).collect::<Result<Vec<_>, _>>()?;
            let seconds = times.into_iter().fold(f64::INFINITY, f64::min);
            row(&format!("{way:?}").to_lowercase(), *batch, wishes.rows, seconds);
            if *way == wishes.way[0] {
                curve.push((*batch as u64, wishes.rows as f64 / seconds / 1e6));
            }
            outputs.push(output);
        }
    }
    if wishes.baseline {
        let output = folder.join("baseline");
        let batch = wishes.batch[0];
        let times = (0..wishes.repeat).map(|_| by_hand(&wishes, &folder, batch, &output)).collect::<Result<Vec<_>, _>>()?;
        row("a loop by hand", batch, wishes.rows, times.into_iter().fold(f64::INFINITY, f64::min));
        outputs.push(output);
    }
    if let (true, Some(cluster)) = (wishes.kill, &cluster) {
        let output = folder.join("killed");
        let seconds = killed_half_way(&client, cluster, &wishes, &input, &output)?;
        row("a worker killed", wishes.batch[0], wishes.rows, seconds);
        outputs.push(output);
    }
    if let Some(path) = &wishes.chart {
        let title = "scoring: million rows a second over the size of the batch";
        std::fs::write(path, chart::over_size(title, "rows in a batch", &curve, &|batch| batch.to_string()))?;
    }
    all_equal(&outputs, wishes.rows)?;
    Ok(())
}

fn row(way: &str, batch: usize, rows: u64, seconds: f64) {
    println!("| {way} | {batch} | {seconds:.3} | {:.0} |", rows as f64 / seconds);
}

/// What onnxruntime made of the sample stands beside the model.
fn agrees_with_onnxruntime() -> Result<(), Box<dyn std::error::Error>> {
    let read = |text: &str| -> Vec<Vec<f64>> {
        text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect()).collect()
    };
    let (sample, expected) = (read(include_str!("sample.csv")), read(include_str!("sample_expected.csv")));
    for (at, row) in sample.iter().enumerate() {
        let made = (0..data::COLUMNS).map(|column| data::feature(data::SEED, at as u64, column));
        assert!(row.iter().map(|cell| *cell as f32).eq(made), "the sample is the generator's");
    }
    let column = |at: usize| (format!("f{at}"), sample.iter().map(|row| row[at]).collect::<Vec<f64>>());
    let columns = (0..data::COLUMNS as usize).map(column).map(|(name, values)| partita::polars::prelude::Column::new(name.into(), values));
    let sample = DataFrame::new(sample.len(), columns.collect())?;
    let mut worst: f64 = 0.0;
    for batch in [1, 7, 256, 312] {
        let scored = score(&model::load(model::FILE, batch)?, &sample, batch)?;
        for (at, class) in (0..model::CLASSES).map(|class| (class, format!("p{class}"))) {
            let found = scored.column(&class)?.f32()?;
            worst = found.iter().flatten().zip(&expected).fold(worst, |worst, (found, row)| worst.max((f64::from(found) - row[at]).abs()));
        }
    }
    assert!(worst <= 1e-5, "onnxruntime gives other probabilities: {worst:e} apart");
    println!("of 1,000 rows, onnxruntime's probabilities are at most {worst:.1e} away\n");
    Ok(())
}

/// Makes the rows, unless the folder has them: CSV in parts, and Parquet of it when asked for. The pattern of the files.
fn make(wishes: &Wishes, folder: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let csv = folder.join(format!("csv-{}", wishes.rows));
    if !csv.exists() {
        let parts = (wishes.rows / 1_250_000).max(2);
        data::write_csv_parts(&csv, wishes.rows, parts, data::SEED)?;
    }
    if !wishes.parquet {
        return Ok(csv.join("*.csv"));
    }
    let parquet = folder.join(format!("parquet-{}", wishes.rows));
    if !parquet.exists() {
        let narrow = (0..data::COLUMNS).map(|at| col(format!("f{at}")).cast(DataType::Float32)).collect::<Vec<_>>();
        DFrame::read_csv(csv.join("*.csv"))?.select(narrow).to_parquet(&parquet, ParquetWriteOptions::new())?;
    }
    Ok(parquet.join("*.parquet"))
}

/// The job: partitions, scored one by one, written as Parquet. Seconds.
fn run(client: &Client, wishes: &Wishes, input: &Path, way: Way, batch: usize, output: &Path) -> Result<f64, Error> {
    let begun = Instant::now();
    let rows = match wishes.parquet {
        true => DFrame::read_parquet(input)?,
        false => DFrame::read_csv_with(input, options(wishes))?,
    };
    let value = client.scatter(Model::new(model::FILE.to_vec()))?;
    let call = |part: Delayed<DataFrame>| match way {
        Way::Task => delayed(score_loading)(part, batch),
        Way::Worker => delayed(score_with_state)(part, batch),
        Way::Value => delayed(score_with_value)(part, batch, &value),
    };
    let scored = DFrame::from_delayed(rows.to_delayed()?.into_iter().map(call).collect(), schema());
    let bar = Bar::start(wishes.rows)?;
    scored.to_parquet(output, ParquetWriteOptions::new().overwrite(true))?;
    bar.end();
    Ok(begun.elapsed().as_secs_f64())
}

fn options(wishes: &Wishes) -> CsvOptions {
    match &wishes.blocksize {
        Some(size) => CsvOptions::new().blocksize(size.as_str()),
        None => CsvOptions::new(),
    }
}

/// The job with a worker killed once half of the rows are scored: what that one had done is lost with it and scored again. A run that has
/// nothing to do again ended before the kill and proves nothing: another follows.
fn killed_half_way(
    client: &Client,
    cluster: &LocalCluster,
    wishes: &Wishes,
    input: &Path,
    output: &Path,
) -> Result<f64, Box<dyn std::error::Error>> {
    for _ in 0..10 {
        let victim = loop {
            match cluster.worker_pids()[0] {
                0 => std::thread::sleep(Duration::from_millis(10)),
                pid => break pid,
            }
        };
        let over = Arc::new(AtomicBool::new(false));
        let killer = kill_half_way(victim, wishes.rows, &over)?;
        let outcome = run(client, wishes, input, wishes.way[0], wishes.batch[0], output);
        over.store(true, Ordering::Relaxed);
        let scored = killer.join().expect("it does not panic")?;
        let seconds = outcome?;
        if scored > wishes.rows {
            println!("(a worker was killed half-way, and {} rows were scored again)", scored - wishes.rows);
            return Ok(seconds);
        }
        while cluster.worker_pids()[0] == victim {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Err("each run ended before a worker could be killed: more rows, or a smaller --blocksize".into())
}

/// How many rows were scored in all, told when the job is over and everything was heard.
type Killer = std::thread::JoinHandle<Result<u64, Error>>;

/// Kills a process when half of the rows are scored.
fn kill_half_way(victim: u32, rows: u64, over: &Arc<AtomicBool>) -> Result<Killer, Error> {
    let heard = Topic::<u64>::new("scored")?.subscribe()?;
    let over = over.clone();
    Ok(std::thread::spawn(move || {
        let (mut scored, mut killed) = (0, false);
        loop {
            // Whatever was scored was told before its part was done, so nothing is under way for long once all is over.
            let ended = over.load(Ordering::Relaxed);
            match heard.recv_timeout(Duration::from_millis(200))? {
                Some(more) => scored += more,
                None if ended => return Ok(scored),
                None => {}
            }
            if !killed && scored >= rows / 2 {
                killed = true;
                let status = std::process::Command::new("kill").args(["-9", &victim.to_string()]).status();
                status.map_err(|error| Error::new(Code::Internal, format!("no program `kill`: {error}")))?;
            }
        }
    }))
}

/// Rows and rows a second while it runs.
struct Bar {
    bar: ProgressBar,
    done: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Bar {
    fn start(rows: u64) -> Result<Self, Error> {
        let heard = Topic::<u64>::new("scored")?.subscribe()?;
        let style = "{wide_bar} {human_pos} of {human_len} rows, {per_sec}, {eta} left";
        let bar = ProgressBar::new(rows).with_style(ProgressStyle::with_template(style).expect("a template"));
        let done = Arc::new(AtomicBool::new(false));
        let (shown, over) = (bar.clone(), done.clone());
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                match heard.recv_timeout(Duration::from_millis(50)) {
                    Ok(Some(rows)) => shown.inc(rows),
                    Ok(None) => {}
                    Err(_) => return,
                }
            }
        });
        Ok(Self { bar, done, thread })
    }

    fn end(self) {
        self.done.store(true, Ordering::Relaxed);
        // It ends within a twentieth of a second.
        let _ = self.thread.join();
        self.bar.finish_and_clear();
    }
}

/// The same without partita: threads that take files one after the other.
fn by_hand(wishes: &Wishes, folder: &Path, batch: usize, output: &Path) -> Result<f64, Box<dyn std::error::Error>> {
    let (kind, extension) = if wishes.parquet { ("parquet", "parquet") } else { ("csv", "csv") };
    let source = folder.join(format!("{kind}-{}", wishes.rows));
    let begun = Instant::now();
    let mut files: Vec<PathBuf> = std::fs::read_dir(source)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    // Files of an earlier run, of which there may have been more, would be taken for its own.
    match std::fs::remove_dir_all(output) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => std::fs::create_dir_all(output)?,
    }
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let plan = model::load(model::FILE, batch)?;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(at) else { return Ok(()) };
            let file = std::fs::File::open(path)?;
            let rows = match wishes.parquet {
                true => ParquetReader::new(file).finish()?,
                false => polars_io::csv::read::CsvReader::new(file).finish()?,
            };
            let mut scored = score(&plan, &rows, batch)?;
            ParquetWriter::new(std::fs::File::create(output.join(format!("part-{at:05}.parquet")))?).finish(&mut scored)?;
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|one| one.join().expect("no panic"))
    })
    .map_err(|e| e.to_string())?;
    Ok(begun.elapsed().as_secs_f64())
}

/// All outputs hold the same bits, row by row.
fn all_equal(outputs: &[PathBuf], rows: u64) -> Result<(), Error> {
    let read = |output: &PathBuf| DFrame::read_parquet(output.join("*.parquet"))?.compute();
    let Some((first, others)) = outputs.split_first() else { return Ok(()) };
    let expected = read(first)?;
    if expected.height() as u64 != rows {
        return Err(Error::new(Code::Internal, format!("{} of {rows} rows were written", expected.height())));
    }
    for other in others {
        if !read(other)?.equals(&expected) {
            return Err(Error::new(Code::Internal, format!("{} differs from {}", other.display(), first.display())));
        }
    }
    println!("\nall {} outputs hold the same bits", outputs.len());
    Ok(())
}
