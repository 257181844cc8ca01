//! `partita demo`: data, the main job, its result, plan and time, with nothing to prepare.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use clap::Args;
use partita::prelude::*;
use partita::{Code, Error};
use tpchgen::csv::LineItemCsv;
use tpchgen::generators::LineItemGenerator;

use crate::exit::{Stop, check_interrupted};
use crate::groupby::peak_rss;

/// Runs the main job on generated data.
#[derive(Args)]
pub struct Demo {
    /// TPC-H scale factor: 1 is 6 million rows, about 750 MB of CSV
    #[arg(long, default_value_t = 0.3)]
    scale: f64,
    /// Keep the data in this folder instead of a temporary one that is removed
    #[arg(long)]
    folder: Option<std::path::PathBuf>,
}

/// Files that the table is written to, as an export of several parts would be.
const PARTS: i32 = 8;

impl Demo {
    /// Writes, runs, shows.
    pub fn run(self) -> Result<(), Stop> {
        let temporary = tempfile::tempdir()?;
        let folder = self.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
        std::fs::create_dir_all(&folder)?;
        let start = Instant::now();
        let bytes = write_lineitem(&folder, self.scale)?;
        eprintln!(
            "wrote TPC-H lineitem at scale {}: {PARTS} CSV files, {:.0} MB, in {:.1} s",
            self.scale,
            bytes as f64 / 1e6,
            start.elapsed().as_secs_f64()
        );

        let client = Client::local()?;
        client.cancel_on_ctrl_c()?;
        let start = Instant::now();
        let pattern = folder.join("lineitem-*.csv");
        let lineitem = DFrame::read_csv(&pattern)?;
        let means = lineitem.groupby(["l_returnflag", "l_linestatus"]).agg([
            col("l_quantity").mean(),
            col("l_extendedprice").mean(),
            len().alias("rows"),
        ]);
        check_interrupted()?;
        let computed = client.run(&means)?;
        let seconds = start.elapsed().as_secs_f64();

        let mut out = std::io::stdout().lock();
        writeln!(out, "DFrame::read_csv(\"lineitem-*.csv\")?")?;
        writeln!(out, "    .groupby([\"l_returnflag\", \"l_linestatus\"])")?;
        writeln!(out, "    .agg([col(\"l_quantity\").mean(), col(\"l_extendedprice\").mean(), len().alias(\"rows\")])")?;
        writeln!(out, "    .compute()?\n\n{}\n\n{}", computed.frame, means.explain())?;
        writeln!(
            out,
            "\n{:.0} MB in {seconds:.2} s: {:.2} GB/s; peak memory {:.0} MB",
            bytes as f64 / 1e6,
            bytes as f64 / 1e9 / seconds,
            peak_rss() as f64 / 1e6
        )?;
        Ok(())
    }
}

/// Writes the table and returns the bytes written.
fn write_lineitem(folder: &Path, scale: f64) -> Result<u64, Stop> {
    if !(scale > 0.0 && scale <= 1000.0) {
        return Err(Error::new(Code::InvalidOption, format!("--scale {scale} is not between 0 and 1000")).into());
    }
    let writers: Vec<_> = (1..=PARTS).map(|part| write_part(folder, scale, part)).map(std::thread::spawn).collect();
    let mut bytes = 0;
    for writer in writers {
        bytes += writer.join().map_err(|_| Error::internal("a writer of the demo data panicked"))??;
    }
    Ok(bytes)
}

fn write_part(folder: &Path, scale: f64, part: i32) -> impl FnOnce() -> std::io::Result<u64> + Send + 'static {
    let path = folder.join(format!("lineitem-{part}.csv"));
    move || {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        writeln!(file, "{}", LineItemCsv::header())?;
        for item in LineItemGenerator::new(scale, part, PARTS).iter() {
            writeln!(file, "{}", LineItemCsv::new(item))?;
        }
        file.flush()?;
        Ok(std::fs::metadata(&path)?.len())
    }
}
