//! A frame of 1 GiB from one worker process to the other over loopback, plain and with TLS, and as many bytes by a raw TCP copy in the
//! same run.
//!
//! `cargo bench --bench frame_transfer -- [--bytes N] [--runs N]` prints one JSON object with the seconds of each way; with `--test` a small
//! frame is moved once. The ways take turns, round by round, and medians are compared. The frame has two columns, numbers and text of more
//! than twelve bytes: what moves are polars' own buffers, and the task at the other end reads the last cell of both.
//!
//! It refuses to measure making the frame and starting the clusters. Invariant: each round has a frame of its own, and what is read is checked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use partita::prelude::*;
use partita::{Client, Error, LocalCluster, Until, delayed, task, wait};

/// Bytes of a row: a number, a view of a text, and the text itself.
const ROW: usize = 8 + 16 + 24;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn text(row: i64) -> String {
    format!("{row:024}")
}

#[task]
fn made(first: i64, rows: i64) -> DataFrame {
    df!("x" => (first..first + rows).collect::<Vec<i64>>(), "t" => (first..first + rows).map(text).collect::<Vec<String>>())
        .expect("columns of one length")
}

#[task]
fn last(frame: &DataFrame) -> Result<(i64, String), Error> {
    let broken = || Error::internal("a frame of another form");
    let number = frame.column("x").ok().and_then(|x| x.i64().ok()?.last()).ok_or_else(broken)?;
    let text = frame.column("t").ok().and_then(|t| t.str().ok()?.last().map(str::to_owned)).ok_or_else(broken)?;
    Ok((number, text))
}

/// Two worker processes of one thread each.
struct Pair {
    client: Client,
    _cluster: LocalCluster,
}

impl Pair {
    fn start(tls: bool) -> Outcome<Self> {
        let cluster = LocalCluster::builder().workers(2).threads_per_worker(1).memory_limit(0u64).tls(tls).start()?;
        let client = cluster.connect()?;
        client.wait_for_workers(2, Duration::from_secs(60))?;
        Ok(Self { client, _cluster: cluster })
    }

    /// Seconds until a task on the second worker has read what the first has made.
    fn moves(&self, first: i64, rows: i64) -> Outcome<f64> {
        let frame = self.client.start(&delayed(made)(first, rows).workers(["worker-0"]))?;
        wait(std::slice::from_ref(&frame), Until::All);
        let begun = Instant::now();
        let read = self.client.start(&delayed(last)(&frame).workers(["worker-1"]))?.result()?;
        let seconds = begun.elapsed().as_secs_f64();
        if read != (first + rows - 1, text(first + rows - 1)) {
            return Err(format!("the last row is {read:?}").into());
        }
        Ok(seconds)
    }
}

/// One thread writes a block again and again, another reads it into one buffer and looks at nothing.
fn copied(bytes: usize) -> Outcome<f64> {
    const BLOCK: usize = 1 << 20;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let writer = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let block = vec![7; BLOCK];
        (0..bytes.div_ceil(BLOCK)).try_for_each(|at| stream.write_all(&block[..BLOCK.min(bytes - at * BLOCK)]))
    });
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    let (mut buffer, mut left) = (vec![0; BLOCK], bytes);
    while left > 0 {
        match stream.read(&mut buffer)? {
            0 => return Err("fewer bytes than were sent".into()),
            read => left -= read,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    writer.join().map_err(|_| "the writer panicked")??;
    Ok(seconds)
}

fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The number after `name` on the command line.
fn option(name: &str, default: usize) -> Outcome<usize> {
    let given = std::env::args().skip_while(|word| word != name).nth(1);
    Ok(given.map_or(Ok(default), |text| text.parse())?)
}

fn main() -> Outcome<()> {
    // Worker processes of this program begin here too; for them this call does not return.
    partita::run();
    let (bytes, runs) = if std::env::args().any(|word| word == "--test") { (1 << 20, 1) } else { (1 << 30, 7) };
    let (bytes, runs) = (option("--bytes", bytes)?, option("--runs", runs)?);
    let rows = bytes.div_ceil(ROW);
    let (plain, tls) = (Pair::start(false)?, Pair::start(true)?);
    let [mut raw, mut plainly, mut encrypted] = [const { Vec::new() }; 3];
    // The first round, whose memory the system hands out for the first time, is not measured.
    for round in 0..=runs {
        let first = (round * rows) as i64;
        let seconds = (copied(rows * ROW)?, plain.moves(first, rows as i64)?, tls.moves(first, rows as i64)?);
        if round > 0 {
            raw.push(seconds.0);
            plainly.push(seconds.1);
            encrypted.push(seconds.2);
        }
    }
    for (name, seconds) in [("plain", &plainly), ("TLS 1.3", &encrypted)] {
        let rate = (rows * ROW) as f64 / median(seconds) / 1e9;
        eprintln!("{name}: {rate:.2} GB/s, {:.0} % of a raw copy", 100.0 * median(&raw) / median(seconds));
    }
    let version = env!("CARGO_PKG_VERSION");
    let said = serde_json::json!({
        "what": "frame-transfer", "bytes": rows * ROW, "seconds": plainly, "tls_seconds": encrypted, "raw_seconds": raw, "version": version,
    });
    println!("{said}");
    Ok(())
}
