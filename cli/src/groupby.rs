//! `partita groupby`: the main job from the command line.

use std::io::Write;

use clap::Args;
use partita::prelude::*;
use partita::{Code, Error};

use crate::exit::{Stop, check_interrupted};
use crate::look::{json_rows, print_frame};

/// Aggregates CSV files by keys.
#[derive(Args)]
pub struct Groupby {
    /// Files or patterns in quotes: 'data/*.csv', s3://bucket/part-*.csv
    #[arg(required = true)]
    files: Vec<String>,
    /// Key columns
    #[arg(long, required = true, value_delimiter = ',')]
    by: Vec<String>,
    /// Columns to average
    #[arg(long, value_delimiter = ',')]
    mean: Vec<String>,
    /// Columns to add up
    #[arg(long, value_delimiter = ',')]
    sum: Vec<String>,
    /// Columns whose least value is wanted
    #[arg(long, value_delimiter = ',')]
    min: Vec<String>,
    /// Columns whose greatest value is wanted
    #[arg(long, value_delimiter = ',')]
    max: Vec<String>,
    /// Columns whose values are counted: --count=a,b; alone, it counts rows
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "", value_delimiter = ',')]
    count: Option<Vec<String>>,
    /// Bytes of a partition, for example 16MB
    #[arg(long)]
    blocksize: Option<String>,
    /// Tasks at a time
    #[arg(long)]
    threads: Option<usize>,
    /// Memory for partitions, for example 1GiB; beyond 60 % of it they go to disk
    #[arg(long)]
    memory_limit: Option<String>,
    /// One JSON object: rows, seconds, peak memory
    #[arg(long)]
    json: bool,
    /// Print the plan instead of running it
    #[arg(long)]
    explain: bool,
}

/// The engine of a command, which Ctrl-C stops.
pub(crate) fn client(threads: Option<usize>, memory_limit: Option<&str>) -> Result<Client, Stop> {
    let mut builder = Client::builder();
    if let Some(threads) = threads {
        builder = builder.threads(threads);
    }
    if let Some(limit) = memory_limit {
        builder = builder.memory_limit(limit);
    }
    let client = builder.build()?;
    client.cancel_on_ctrl_c()?;
    Ok(client)
}

impl Groupby {
    /// Plans, runs, prints.
    pub fn run(self) -> Result<(), Stop> {
        let client = client(self.threads, self.memory_limit.as_deref())?;
        let start = std::time::Instant::now();
        let mut options = CsvOptions::new();
        if let Some(blocksize) = &self.blocksize {
            options = options.blocksize(blocksize.as_str());
        }
        let grouped = DFrame::read_csv_with(self.files.clone(), options)?.group_by(self.by.clone()).agg(self.aggregates()?);
        if self.explain {
            writeln!(std::io::stdout(), "{}", grouped.check()?.explain())?;
            return Ok(());
        }
        check_interrupted()?;
        let computed = client.run(&grouped)?;
        let seconds = start.elapsed().as_secs_f64();
        if !self.json {
            if computed.spilled_bytes > 0 {
                writeln!(std::io::stderr(), "spilled to disk for want of memory: {}", bytesize::ByteSize(computed.spilled_bytes))?;
            }
            return print_frame(&computed.frame, false);
        }
        // Before the rows become JSON, which takes more than the rows.
        let peak = peak_rss();
        let report = serde_json::json!({
            "rows": json_rows(&computed.frame), "seconds": seconds, "peak_rss_bytes": peak, "notes": computed.notes,
            "spilled_bytes": computed.spilled_bytes,
        });
        writeln!(std::io::stdout(), "{report}")?;
        Ok(())
    }

    /// A column named in two aggregates gets the aggregate's name behind its own.
    fn aggregates(&self) -> Result<Vec<Expr>, Error> {
        type Aggregate = fn(Expr) -> Expr;
        let counted: Vec<String> = self.count.iter().flatten().filter(|column| !column.is_empty()).cloned().collect();
        let kinds: [(&str, &[String], Aggregate); 5] = [
            ("mean", &self.mean, Expr::mean),
            ("sum", &self.sum, Expr::sum),
            ("min", &self.min, Expr::min),
            ("max", &self.max, Expr::max),
            ("count", &counted, Expr::count),
        ];
        let times = |column: &String| kinds.iter().flat_map(|(_, columns, _)| *columns).filter(|other| *other == column).count();
        let mut exprs = Vec::new();
        for (name, columns, aggregate) in &kinds {
            for column in *columns {
                let expr = aggregate(col(column.as_str()));
                exprs.push(if times(column) > 1 { expr.alias(format!("{column}_{name}")) } else { expr });
            }
        }
        if self.count.is_some() && counted.is_empty() {
            exprs.push(len().alias("count"));
        }
        match exprs.is_empty() {
            false => Ok(exprs),
            true => Err(Error::new(Code::InvalidOption, "nothing to compute").help("add --mean COLUMN, --sum, --min, --max or --count")),
        }
    }
}

/// The most memory that this process had, in bytes; 0 where the system does not tell.
pub fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
