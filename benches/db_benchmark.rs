//! The questions of the db-benchmark: ten group-bys and five joins, from CSV or on frames that are in memory.
//!
//! `cargo bench --bench db_benchmark -- groupby csv G1_1e7_1e2_0_0.csv` prints one JSON object for each question: the seconds of its first run
//! in this process, of its second and of all, rows, the sums of its columns of numbers, the peak of the process's memory so far and what
//! was spilled. `benches/peers/db_benchmark.py` asks the same of others, in turns, and compares the answers. Also: `--questions q1,q5`,
//! `--threads 2`, `--runs 2`, `--memory-limit 4GiB`. Without arguments, as `cargo bench` calls it, a small table is made and everything is
//! asked of that.
//!
//! It refuses to know the right answers: whoever compares two engines does. Invariant: a frame is opened or persisted once, before the clock
//! starts when it is in memory and after when it is not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use partita::polars::prelude::*;
use partita::prelude::*;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

// As the program `partita` has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of the table that is made when none is given.
const SMALL: u64 = 20_000;

/// A question: its name, the tables that it reads, and what it asks of them.
type Question = (&'static str, &'static [usize], fn(&[DFrame]) -> DFrame);

const GROUP_BYS: [Question; 10] = [
    ("q1", &[0], |t| t[0].group_by(["id1"]).agg([col("v1").sum()])),
    ("q2", &[0], |t| t[0].group_by(["id1", "id2"]).agg([col("v1").sum()])),
    ("q3", &[0], |t| t[0].group_by(["id3"]).agg([col("v1").sum(), col("v3").mean()])),
    ("q4", &[0], |t| t[0].group_by(["id4"]).agg([col("v1").mean(), col("v2").mean(), col("v3").mean()])),
    ("q5", &[0], |t| t[0].group_by(["id6"]).agg([col("v1").sum(), col("v2").sum(), col("v3").sum()])),
    ("q6", &[0], |t| t[0].group_by(["id4", "id5"]).agg([col("v3").median().alias("median_v3"), col("v3").std(1).alias("sd_v3")])),
    ("q7", &[0], |t| t[0].group_by(["id3"]).agg([(col("v1").max() - col("v2").min()).alias("range_v1_v2")])),
    ("q8", &[0], |t| t[0].group_by(["id6"]).select(["v3"]).top_k(2, ["v3"])),
    ("q9", &[0], |t| {
        let correlation = t[0].group_by(["id2", "id4"]).corr("v1", "v2");
        correlation.select([col("id2"), col("id4"), (col("corr") * col("corr")).alias("r2")])
    }),
    ("q10", &[0], |t| t[0].group_by(["id1", "id2", "id3", "id4", "id5", "id6"]).agg([col("v3").sum(), len().alias("count")])),
];

/// The tables are x, small, medium and big.
const JOINS: [Question; 5] = [
    ("q1", &[0, 1], |t| t[0].join(&t[1], Join::inner(["id1"]).suffix("_right"))),
    ("q2", &[0, 2], |t| t[0].join(&t[1], Join::inner(["id2"]).suffix("_right"))),
    ("q3", &[0, 2], |t| t[0].join(&t[1], Join::left(["id2"]).suffix("_right"))),
    ("q4", &[0, 2], |t| t[0].join(&t[1], Join::inner(["id5"]).suffix("_right"))),
    ("q5", &[0, 3], |t| t[0].join(&t[1], Join::inner(["id3"]).suffix("_right"))),
];

struct Asked {
    task: String,
    mode: String,
    files: Vec<PathBuf>,
    questions: Option<String>,
    threads: usize,
    runs: usize,
    memory_limit: Option<String>,
}

fn main() -> Outcome<()> {
    let (asked, _folder) = asked()?;
    let mut builder = Client::builder().threads(asked.threads);
    if let Some(limit) = &asked.memory_limit {
        builder = builder.memory_limit(limit.as_str());
    }
    let client = builder.build()?;
    let questions = match asked.task.as_str() {
        "groupby" => &GROUP_BYS[..],
        "join" => &JOINS[..],
        other => return Err(format!("the task is groupby or join, not {other}").into()),
    };
    let wanted = |name: &str| asked.questions.as_ref().is_none_or(|wanted| wanted.split(',').any(|one| one == name));
    let questions: Vec<&Question> = questions.iter().filter(|(name, ..)| wanted(name)).collect();
    let open = |at: usize| {
        let file = asked.files.get(at).ok_or_else(|| format!("{} has {} tables too few", asked.task, at + 1 - asked.files.len()))?;
        Outcome::Ok(DFrame::read_csv(file.clone())?)
    };
    let mut in_memory: BTreeMap<usize, DFrame> = BTreeMap::new();
    match asked.mode.as_str() {
        "csv" => {}
        "memory" => {
            for at in questions.iter().flat_map(|(_, tables, _)| *tables) {
                if !in_memory.contains_key(at) {
                    in_memory.insert(*at, open(*at)?.persist()?);
                }
            }
        }
        other => return Err(format!("the mode is csv or memory, not {other}").into()),
    }
    let table = |at: &usize| in_memory.get(at).map_or_else(|| open(*at), |table| Ok(table.clone()));
    for (name, tables, question) in questions {
        let mut seconds = Vec::with_capacity(asked.runs);
        let mut answer = None;
        for _ in 0..asked.runs.max(2) {
            // The rows of the first answer are let go before they are made again.
            drop(answer.take());
            let start = Instant::now();
            let tables = tables.iter().map(table).collect::<Outcome<Vec<_>>>()?;
            let found = client.compute(&question(&tables))?;
            seconds.push(start.elapsed().as_secs_f64());
            answer = Some(found);
        }
        let answer = answer.expect("it was computed twice");
        let line = serde_json::json!({
            "question": name, "first": seconds[0], "seconds": seconds[1], "all": seconds, "rows": answer.height(), "sums": sums(&answer)?,
            "peak_rss_bytes": peak(), "spilled_bytes": client.spilled_bytes(), "version": env!("CARGO_PKG_VERSION"),
        });
        println!("{line}");
    }
    Ok(())
}

/// The sum of each column of numbers, by its name; what is null or no number is left out.
fn sums(answer: &DataFrame) -> Outcome<serde_json::Map<String, serde_json::Value>> {
    let mut sums = serde_json::Map::new();
    for column in answer.columns().iter().filter(|column| column.dtype().is_primitive_numeric()) {
        let sum = column.as_materialized_series().cast(&DataType::Float64)?;
        let sum: f64 = sum.f64()?.iter().flatten().filter(|value| !value.is_nan()).sum();
        sums.insert(column.name().to_string(), sum.into());
    }
    Ok(sums)
}

/// What is asked, and the folder of the table that was made for want of one.
fn asked() -> Outcome<(Asked, Option<tempfile::TempDir>)> {
    let mut plain = Vec::new();
    let (mut questions, mut threads, mut runs, mut memory_limit) = (None, 2, 2, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--questions" => questions = Some(value()?),
            "--threads" => threads = value()?.parse()?,
            "--runs" => runs = value()?.parse()?,
            "--memory-limit" => memory_limit = Some(value()?),
            // What `cargo bench` adds.
            "--bench" => {}
            _ => plain.push(argument),
        }
    }
    let mut plain = plain.into_iter();
    let (task, mode) = (plain.next().unwrap_or_else(|| "groupby".into()), plain.next().unwrap_or_else(|| "memory".into()));
    let mut files: Vec<PathBuf> = plain.map(PathBuf::from).collect();
    let folder = match files.is_empty() {
        true => Some(tempfile::tempdir()?),
        false => None,
    };
    if let Some(folder) = &folder {
        files.push(small_table(folder.path())?);
    }
    Ok((Asked { task, mode, files, questions, threads, runs, memory_limit }, folder))
}

/// A table of the group-by questions, so that they can be asked without a file.
fn small_table(folder: &Path) -> Outcome<PathBuf> {
    let path = folder.join("groupby.csv");
    let mut text = String::from("id1,id2,id3,id4,id5,id6,v1,v2,v3\n");
    let mut state = 108u64;
    for _ in 0..SMALL {
        let mut draw = |below: u64| {
            // Knuth's constants; the upper bits are good enough for keys.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below + 1
        };
        let texts = format!("id{:03},id{:03},id{:010}", draw(100), draw(100), draw(SMALL / 100));
        let numbers = format!("{},{},{},{},{}", draw(100), draw(100), draw(SMALL / 100), draw(5), draw(15));
        text += &format!("{texts},{numbers},{}\n", draw(100_000_000) as f64 / 1e6);
    }
    std::fs::write(&path, text)?;
    Ok(path)
}

/// The most memory that this process had, in bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
