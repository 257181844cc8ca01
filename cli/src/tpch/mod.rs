//! `partita tpch`: the 22 TPC-H queries on tables that are made when they are not there, with results, times and peak memory.
//!
//! The queries and the tables are those of examples/tpch. A time is that of planning and running one query over opened tables, its result in
//! memory at the end.

mod answers;
#[path = "../../../examples/tpch/queries.rs"]
mod queries;
#[path = "../../../examples/tpch/tables.rs"]
mod tables;

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use clap::{Args, ValueEnum};
use partita::prelude::*;
use partita::{Code, Error};
use serde_json::json;

use crate::exit::{Stop, check_interrupted};
use crate::groupby::{client, peak_rss};
use crate::look::{json_rows, print_frame};
use queries::{QUERIES, Tables};

/// Runs TPC-H queries.
#[derive(Args)]
pub struct Tpch {
    /// Scale factor: 1 is 6 million rows of lineitem, about 1 GB of CSV for all tables
    #[arg(long, alias = "scale", default_value_t = 1.0)]
    sf: f64,
    /// Which queries: all, 6, 1,3,5, or 1..22 with both ends
    #[arg(long, alias = "queries", default_value = "all")]
    query: Numbers,
    /// As what the tables are stored
    #[arg(long, value_enum, default_value_t = Stored::Parquet)]
    format: Stored,
    /// Where the tables are, or are made once; a folder for each scale and format. Default: partita-tpch in the folder for temporary files
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How often each query runs; the median counts
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Tasks at a time
    #[arg(long)]
    threads: Option<usize>,
    /// Memory for partitions, for example 1GiB; beyond 60 % of it they go to disk
    #[arg(long)]
    memory_limit: Option<String>,
    /// Bytes of a partition, for example 16MB
    #[arg(long)]
    blocksize: Option<String>,
    /// Compare the results with the official answers, which exist for --sf 1
    #[arg(long)]
    check: bool,
    /// One JSON object: for each query its rows, seconds and peak memory
    #[arg(long)]
    json: bool,
    /// Print the plans instead of running them
    #[arg(long)]
    explain: bool,
    /// Make the tables, print their folder, and run nothing
    #[arg(long)]
    only_make: bool,
}

/// A format by its name.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stored {
    Csv,
    Parquet,
}

/// Numbers of queries, from 1.
#[derive(Clone)]
struct Numbers(Vec<usize>);

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |part: &str| format!("`{part}` is none of the queries 1 to 22: all, 6, 1,3,5 and 1..22 are understood");
        let number = |part: &str| part.trim().parse::<usize>().ok().filter(|n| (1..=QUERIES.len()).contains(n)).ok_or_else(|| wrong(part));
        let mut numbers = Vec::new();
        for part in text.split(',') {
            match part.split_once("..").or_else(|| part.split_once('-')) {
                _ if part == "all" => numbers.extend(1..=QUERIES.len()),
                Some((from, to)) => numbers.extend(number(from)?..=number(to.trim_start_matches('='))?),
                None => numbers.push(number(part)?),
            }
        }
        Ok(Self(numbers))
    }
}

/// What came of one query.
struct Outcome {
    number: usize,
    frame: DataFrame,
    seconds: Vec<f64>,
    peak: u64,
}

impl Outcome {
    fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
    }
}

impl Tpch {
    /// Makes the tables, runs the queries, prints what came of them.
    pub fn run(self) -> Result<(), Stop> {
        let refused = |what: &str| Stop::from(Error::new(Code::InvalidOption, what));
        if self.check && self.sf != 1.0 {
            return Err(refused("--check needs --sf 1: there are no official answers for other scales"));
        }
        if self.runs == 0 {
            return Err(refused("--runs 0 has no result"));
        }
        let client = client(self.threads, self.memory_limit.as_deref())?;
        let folder = self.prepare()?;
        if self.only_make {
            writeln!(std::io::stdout(), "{}", folder.display())?;
            return Ok(());
        }
        let tables = tables::open(&folder, self.tables_format(), self.sf, self.blocksize.as_deref())?;
        if self.explain {
            for number in &self.query.0 {
                writeln!(std::io::stdout(), "{}\n{}\n", title(*number), (QUERIES[number - 1].plan)(&tables).check()?.explain())?;
            }
            return Ok(());
        }
        let mut outcomes = Vec::new();
        for number in &self.query.0 {
            let outcome = self.run_one(&client, &tables, *number)?;
            if !self.json {
                show(&outcome)?;
            }
            if self.check {
                answers::check(*number, &outcome.frame)?;
            }
            outcomes.push(outcome);
        }
        match self.json {
            true => self.print_json(&client, &folder, &outcomes),
            false => self.print_times(&outcomes),
        }
    }

    fn tables_format(&self) -> tables::Format {
        match self.format {
            Stored::Csv => tables::Format::Csv,
            Stored::Parquet => tables::Format::Parquet,
        }
    }

    fn prepare(&self) -> Result<PathBuf, Error> {
        let root = self.folder.clone().unwrap_or_else(|| std::env::temp_dir().join("partita-tpch"));
        let start = Instant::now();
        let folder = tables::prepare(&root, self.tables_format(), self.sf)?;
        eprintln!("TPC-H tables at scale {} in {} ({:.1} s)", self.sf, folder.display(), start.elapsed().as_secs_f64());
        Ok(folder)
    }

    fn run_one(&self, client: &Client, tables: &Tables, number: usize) -> Result<Outcome, Error> {
        forget_peak();
        let (mut frame, mut seconds) = (DataFrame::empty(), Vec::new());
        for _ in 0..self.runs {
            check_interrupted()?;
            let start = Instant::now();
            frame = client.compute(&(QUERIES[number - 1].plan)(tables))?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(Outcome { number, frame, seconds, peak: peak_rss() })
    }

    fn print_times(&self, outcomes: &[Outcome]) -> Result<(), Stop> {
        let mut out = std::io::stdout().lock();
        let total: f64 = outcomes.iter().map(Outcome::median).sum();
        let mean = (outcomes.iter().map(|outcome| outcome.median().ln()).sum::<f64>() / outcomes.len() as f64).exp();
        let peak = outcomes.iter().map(|outcome| outcome.peak).max().unwrap_or(0) as f64 / 1e6;
        writeln!(out, "{} queries: {total:.3} s in all, geometric mean {mean:.4} s, peak memory {peak:.0} MB", outcomes.len())?;
        if self.check {
            writeln!(out, "all results are the official answers")?;
        }
        Ok(())
    }

    fn print_json(&self, client: &Client, folder: &std::path::Path, outcomes: &[Outcome]) -> Result<(), Stop> {
        let queries = outcomes.iter().map(|outcome| {
            let columns: Vec<&str> = outcome.frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
            json!({
                "query": outcome.number, "name": QUERIES[outcome.number - 1].name, "seconds": outcome.median(), "all_seconds": outcome.seconds,
                "peak_rss_bytes": outcome.peak, "columns": columns, "rows": json_rows(&outcome.frame),
            })
        });
        let queries: Vec<serde_json::Value> = queries.collect();
        let folder = folder.display().to_string();
        let report = json!({ "scale": self.sf, "folder": folder, "checked": self.check, "spilled_bytes": client.spilled_bytes(), "queries": queries });
        writeln!(std::io::stdout(), "{report}")?;
        Ok(())
    }
}

fn title(number: usize) -> String {
    format!("query {number}: {}", QUERIES[number - 1].name)
}

fn show(outcome: &Outcome) -> Result<(), Stop> {
    const SHOWN: usize = 20;
    writeln!(std::io::stdout(), "{}", title(outcome.number))?;
    print_frame(&outcome.frame.head(Some(SHOWN)), false)?;
    let rows = outcome.frame.height();
    let shown = if rows > SHOWN { format!(", the first {SHOWN} shown") } else { String::new() };
    writeln!(std::io::stdout(), "{rows} rows{shown}; {:.3} s; peak memory {:.0} MB\n", outcome.median(), outcome.peak as f64 / 1e6)?;
    Ok(())
}

/// From here on the peak is that of what follows; where the system cannot do that, it stays the peak of all.
fn forget_peak() {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
