//! The main job on a cluster of this host: mean of `v3` by `id1` of one CSV file, by the local engine on two threads and by two
//! worker processes of one thread each, in turn.
//!
//! `cargo bench --bench cluster_headline -- --file G1_1e7_1e2_0_0.csv [--runs 7]` prints one JSON object with the seconds of
//! both; `benches/peers/cluster/run` calls it too. Without `--file` it reads `$PARTITA_BENCH_DATA/G1_1e7_1e2_0_0.csv` (made by
//! `benches/peers/generate.py`) when that is there, else it writes a table of the same form with a million rows.
//!
//! It refuses to measure the start of either engine. Invariant: both results are equal, bit by bit, in every run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use partita::prelude::*;
use partita::{Error, LocalCluster};

const THREADS: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Worker processes of this program begin here too; for them this call does not return.
    partita::run();

    let folder = tempfile::tempdir()?;
    let file = match option("--file").map(PathBuf::from).or_else(from_environment) {
        Some(file) => file,
        None => small_table(folder.path())?,
    };
    let runs: usize = option("--runs").map_or(Ok(7), |text| text.parse())?;

    let cluster = LocalCluster::builder().workers(THREADS).threads_per_worker(1).start()?;
    let remote = cluster.client()?;
    remote.wait_for_workers(THREADS, Duration::from_secs(60))?;
    let local = Client::builder().threads(THREADS).build()?;

    let (mut here, mut there) = (Vec::new(), Vec::new());
    // The first round warms up both: threads, connections, the page cache.
    for round in 0..=runs {
        let (expected, local_seconds) = timed(&local, &file)?;
        let (found, cluster_seconds) = timed(&remote, &file)?;
        assert!(expected.equals_missing(&found), "the cluster's result is another one");
        if round > 0 {
            here.push(local_seconds);
            there.push(cluster_seconds);
        }
    }
    let ratio = median(&there) / median(&here);
    eprintln!("cluster {:.3} s, local {:.3} s, ratio {ratio:.2}", median(&there), median(&here));
    let said = serde_json::json!({
        "what": "headline", "seconds": there, "local_seconds": here, "ratio": ratio, "bytes": std::fs::metadata(&file)?.len(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    println!("{said}");
    Ok(())
}

/// The job from opening the file to the result in this process.
fn timed(client: &Client, file: &Path) -> Result<(DataFrame, f64), Error> {
    let begun = Instant::now();
    let means = client.compute(&DFrame::read_csv(file)?.groupby(["id1"]).select(["v3"]).mean())?;
    Ok((means, begun.elapsed().as_secs_f64()))
}

fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The word after `name` on the command line.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

fn from_environment() -> Option<PathBuf> {
    let file = Path::new(&std::env::var_os("PARTITA_BENCH_DATA")?).join("G1_1e7_1e2_0_0.csv");
    file.exists().then_some(file)
}

/// A million rows of the same form: about 50 MB.
fn small_table(folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join("G1_1e6.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    writeln!(file, "id1,id2,id3,id4,id5,id6,v1,v2,v3")?;
    for row in 0..1_000_000u64 {
        let noise = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
        let (short, long) = (noise % 100 + 1, noise / 100 % 10_000 + 1);
        let (v1, v2, v3) = (noise % 5 + 1, noise % 15 + 1, noise % 100_000_000);
        let v3 = format!("{}.{:06}", v3 / 1_000_000, v3 % 1_000_000);
        writeln!(file, "id{short:03},id{:03},id{long:010},{short},{},{long},{v1},{v2},{v3}", 101 - short, 101 - short)?;
    }
    file.flush()?;
    Ok(path)
}
