//! A sort, a group-by with very many groups, a join of two large frames and `unique` under a memory limit that their data pass four times, each
//! written as Parquet.
//!
//! `cargo run --release --example out_of_core` makes its rows while it runs. On files of your own, for example those that
//! `benches/peers/generate.py` and `generate_join.py` make (`benches/peers/run out-of-core` runs others beside it):
//!
//!     … out_of_core -- --limit 2GiB --jobs sort --csv G1_1e8_1e2_0_0.csv --by id6,v3
//!     … out_of_core -- --limit 2GiB --jobs join --csv J1_6e7_NA_0_0.csv --csv J1_6e7_big_0_0.csv --on id3
//!
//! Also: `--rows 4000000`, `--threads 2`, `--output FOLDER`, `--keep` what was written, `--json`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use partita::prelude::*;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Bytes of text in a row that is made here, and rows of a partition.
const TEXT: usize = 4000;
const PER_PARTITION: u64 = 2_048;

struct Asked {
    limit: bytesize::ByteSize,
    threads: usize,
    rows: Option<u64>,
    jobs: Vec<String>,
    files: Vec<PathBuf>,
    by: Vec<String>,
    on: Vec<String>,
    output: Option<PathBuf>,
    json: bool,
    keep: bool,
}

fn main() -> Outcome<()> {
    let asked = asked()?;
    let limit = asked.limit.as_u64();
    let client = Client::builder().threads(asked.threads).memory_limit(limit).build()?;
    let mut folder = match &asked.output {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    folder.disable_cleanup(asked.keep);
    let rows = asked.rows.unwrap_or(4 * limit / TEXT as u64).next_multiple_of(4 * PER_PARTITION);
    for job in &asked.jobs {
        let (start, before) = (Instant::now(), client.spilled_bytes());
        let output = folder.path().join(job);
        let options = ParquetWriteOptions::new().compression(partita::ParquetCodec::Uncompressed);
        let written = frame(job, &asked, rows)?.to_parquet(&output, options)?;
        let (seconds, spilled) = (start.elapsed().as_secs_f64(), client.spilled_bytes() - before);
        if asked.files.is_empty() {
            check(job, &output, rows, written.rows)?;
            assert!(spilled > limit, "{job} spilled {spilled} bytes only");
        }
        let peak = peak();
        if asked.json {
            let line = serde_json::json!({
                "job": job, "seconds": seconds, "rows": written.rows, "peak_rss_bytes": peak, "spilled_bytes": spilled, "limit": limit,
                "version": env!("CARGO_PKG_VERSION"),
            });
            println!("{line}");
        } else {
            let share = peak as f64 / limit as f64;
            println!(
                "{job}: {} rows in {seconds:.1} s, {} spilled, peak {share:.2} of the limit",
                written.rows,
                bytesize::ByteSize(spilled)
            );
        }
        // Built without optimizations, the pages of the program itself are a quarter of the default limit.
        assert!(cfg!(debug_assertions) || peak <= limit + limit / 4, "{job}: a peak of {peak} bytes is more than the limit and a quarter");
        if !asked.keep {
            std::fs::remove_dir_all(output)?;
        }
    }
    Ok(())
}

/// What a job asks of the files, or of rows that are made for it.
fn frame(job: &str, asked: &Asked, rows: u64) -> Outcome<DFrame> {
    let half = rows / 2;
    let table = |at: usize, of: u64, key: Box<dyn Fn(u64) -> u64 + Send + Sync>| match asked.files.get(at) {
        Some(file) => DFrame::read_csv(file.clone()),
        None => Ok(made(of, key)),
    };
    let twice = || table(0, rows, Box::new(move |row| row % half));
    Ok(match job {
        "sort" => table(0, rows, Box::new(|row| row))?.sort(asked.by.clone()),
        "group_by" => twice()?.group_by(asked.by.clone()).first(),
        "unique" => twice()?.unique_with(asked.by.clone(), UniqueKeepStrategy::First),
        "join" => {
            let (left, right) = (table(0, half, Box::new(|row| row))?, table(1, half, Box::new(move |row| half - 1 - row))?);
            left.join(&right, Join::inner(asked.on.clone()).suffix("_right"))
        }
        other => return Err(format!("the jobs are sort, group_by, unique and join, not {other}").into()),
    })
}

/// Rows of a key, the row's number and a text, made while they are asked for.
fn made(rows: u64, key: Box<dyn Fn(u64) -> u64 + Send + Sync>) -> DFrame {
    let schema = df!("k" => [0i64], "x" => [0i64], "t" => [""]).expect("columns of one length").schema().clone();
    let text: String = (0..TEXT + 64).map(|at| char::from(b'a' + (at * 7 % 26) as u8)).collect();
    DFrame::from_map(schema, 0..rows / PER_PARTITION, move |partition| {
        let rows = || partition * PER_PARTITION..(partition + 1) * PER_PARTITION;
        df!(
            "k" => rows().map(|row| mixed(key(row))).collect::<Vec<_>>(),
            "x" => rows().map(|row| row as i64).collect::<Vec<_>>(),
            "t" => rows().map(|row| &text[(row % 64) as usize..][..TEXT]).collect::<Vec<_>>(),
        )
    })
}

/// Numbers in no order, each once: the finalizer of splitmix64.
fn mixed(x: u64) -> i64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as i64
}

/// Looks at what was written of the rows that were made here.
fn check(job: &str, output: &Path, rows: u64, written: u64) -> Outcome<()> {
    let found = DFrame::read_parquet(output)?;
    let expected = if job == "sort" { rows } else { rows / 2 };
    assert_eq!(written, expected, "{job}");
    let sum = found.select(["x"]).sum().compute()?.column("x")?.i64()?.get(0);
    assert_eq!(sum, Some((expected * (expected - 1) / 2) as i64), "{job}");
    if job == "sort" {
        let keys = found.select(["k"]).compute()?;
        assert!(keys.column("k")?.i64()?.into_no_null_iter().is_sorted());
    }
    Ok(())
}

fn asked() -> Outcome<Asked> {
    let list = |text: String| text.split(',').map(String::from).collect::<Vec<_>>();
    let key = || vec!["k".to_string()];
    let mut asked = Asked {
        limit: bytesize::ByteSize::mib(256),
        threads: 2,
        rows: None,
        jobs: list("sort,group_by,join,unique".into()),
        files: Vec::new(),
        by: key(),
        on: key(),
        output: None,
        json: false,
        keep: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--limit" => asked.limit = value()?.parse()?,
            "--threads" => asked.threads = value()?.parse()?,
            "--rows" => asked.rows = Some(value()?.parse()?),
            "--jobs" => asked.jobs = list(value()?),
            "--csv" => asked.files.push(value()?.into()),
            "--by" => asked.by = list(value()?),
            "--on" => asked.on = list(value()?),
            "--output" => asked.output = Some(value()?.into()),
            "--json" => asked.json = true,
            "--keep" => asked.keep = true,
            other => return Err(format!("no such option: {other}").into()),
        }
    }
    Ok(asked)
}

/// The most memory that this process had, in bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
