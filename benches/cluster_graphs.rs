//! What a task costs on a cluster of real processes: graphs of tasks that do nothing, one task's way there and back, a large
//! chunk's way from worker to worker, the scheduler's memory; and bare TCP on the same loopback to compare with.
//!
//! `cluster_graphs WHAT [--tasks N] [--bytes N] [--repeat N] [--tls]` prints one JSON object with the seconds of each repetition;
//! `benches/peers/cluster/run` makes a table of it and of what others need for the same. `cargo bench -p partita-deploy` does
//! all of it once, and without arguments everything is small.
//!
//! It refuses to measure what a program does not wait for: starting the cluster, a first round that warms it up, dropping results.
//! Invariant: every run has layers of its own, so that nothing is found instead of computed, and every result is checked.

#[path = "cluster_graphs/bare_tcp.rs"]
mod bare_tcp;
#[path = "cluster_graphs/graphs.rs"]
mod graphs;

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use graphs::{Fill, Last, append, independent, merge, number, on, registry, tree, warm};
use partita_deploy::{LocalCluster, LocalOptions, WorkerSpec, worker_main};
use partita_graph::{Edge, Executor, Failure, Graph, RunEach, Wiring};
use partita_local::ThreadPool;
use partita_net::client::{self, Remote};
use partita_net::scheduler::{self, Server};
use partita_net::security::ServerSecurity;
use partita_net::worker::Worker;

/// Set in a process that is to be something else than the program: its value says what.
const PART: &str = "PARTITA_BENCH_PART";
const WORKERS: usize = 2;

fn main() -> ExitCode {
    if let Some(spec) = WorkerSpec::from_environment() {
        return match spec {
            Ok(spec) => worker_main(&spec, start_worker),
            Err(failure) => refused(&failure),
        };
    }
    if let Ok(part) = std::env::var(PART) {
        return match play(&part) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refused(&error),
        };
    }
    let asked = Asked::read();
    for one in asked.rounds() {
        match one.measure() {
            Ok(found) => println!("{found}"),
            Err(error) => return refused(&format!("{}: {error}", one.what)),
        }
    }
    ExitCode::SUCCESS
}

fn refused(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

fn start_worker(spec: &WorkerSpec) -> Result<Worker, Failure> {
    Worker::start(&spec.address.parse()?, spec.worker_options(), Arc::new(ThreadPool::new(spec.threads)), registry(), None)
}

// ---- What is asked for ------------------------------------------------------------------------------------------------------

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Clone)]
struct Asked {
    what: String,
    tasks: u32,
    bytes: u64,
    repeat: u32,
    tls: bool,
    /// Whether `cargo bench` asks; otherwise a round over everything is a small one.
    bench: bool,
}

impl Asked {
    fn read() -> Self {
        let mut asked = Self { what: String::new(), tasks: 1_000, bytes: 16 << 20, repeat: 1, tls: false, bench: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|text| text.parse().ok()).expect("a number comes after it");
            match word.as_str() {
                "--tasks" => asked.tasks = number() as u32,
                "--bytes" => asked.bytes = number(),
                "--repeat" => asked.repeat = number() as u32,
                "--tls" => asked.tls = true,
                "--bench" => asked.bench = true,
                "--test" => {}
                what => asked.what = what.into(),
            }
        }
        asked
    }

    /// The one measure that was asked for, or each once.
    fn rounds(&self) -> Vec<Self> {
        if !self.what.is_empty() {
            return vec![self.clone()];
        }
        let (tasks, bytes, repeat) = if self.bench { (100_000, 1 << 30, 500) } else { (100, 1 << 20, 5) };
        let round = |what: &str, tls: bool| {
            let tasks = if what == "tree" { (tasks / 4u32).next_power_of_two() - 1 } else { tasks };
            Self { what: what.into(), tasks, bytes, repeat: if what == "latency" { repeat } else { 1 }, tls, bench: self.bench }
        };
        let on_cluster = ["independent", "merge", "tree", "latency", "transfer"];
        let mut rounds: Vec<Self> = on_cluster.iter().flat_map(|what| [round(what, false), round(what, true)]).collect();
        rounds.extend(["memory", "round-trip", "copy", "copy-kept"].map(|what| round(what, false)));
        rounds
    }

    fn measure(&self) -> Outcome<String> {
        let found = match self.what.as_str() {
            "independent" => self.graphs(independent)?,
            "merge" => self.graphs(merge)?,
            "tree" => self.graphs(tree)?,
            "latency" => self.latency()?,
            "transfer" => self.transfer()?,
            "memory" => return self.memory(),
            "round-trip" => bare_tcp::round_trips(self.repeat.max(1_000))?,
            "copy" => bare_tcp::copies(self.bytes, self.repeat, false)?,
            "copy-kept" => bare_tcp::copies(self.bytes, self.repeat, true)?,
            _ => return Err("known are independent, merge, tree, latency, transfer, memory, round-trip, copy and copy-kept".into()),
        };
        let version = if self.what.starts_with("copy") || self.what == "round-trip" { None } else { Some(env!("CARGO_PKG_VERSION")) };
        let said = serde_json::json!({
            "what": self.what, "tls": self.tls, "tasks": self.tasks, "bytes": self.bytes, "seconds": found, "version": version,
        });
        Ok(said.to_string())
    }

    fn cluster(&self) -> Outcome<(LocalCluster, Arc<Remote>)> {
        let mut options =
            LocalOptions { workers: WORKERS, threads_per_worker: Some(1), memory_limit: Some(0), tls: self.tls, ..LocalOptions::default() };
        options.scheduler.state_file = false;
        let cluster = LocalCluster::start(options)?;
        let remote = Remote::connect(&cluster.address(), client::Options::default(), registry())?;
        remote.wait_for_workers(WORKERS, Duration::from_secs(60))?;
        for turn in 0..20 {
            remote.submit(independent(10, warm(turn)))?.wait()?;
        }
        Ok((cluster, remote))
    }

    /// From submit until all that is wanted is stored; the graph is built before.
    fn graphs(&self, shape: fn(u32, u64) -> Graph) -> Outcome<Vec<f64>> {
        let (_cluster, remote) = self.cluster()?;
        let mut seconds = Vec::new();
        for turn in 0..self.repeat {
            let graph = shape(self.tasks, u64::from(turn));
            let (tasks, expected) = (graph.tasks(), graph.wanted.len() == 1);
            let begun = Instant::now();
            let run = remote.submit(graph)?;
            run.wait_stored()?;
            seconds.push(begun.elapsed().as_secs_f64());
            // A graph with one result adds up how many tasks it read.
            let leaves = if self.what == "tree" { tasks.div_ceil(2) } else { tasks - 1 };
            if expected && number(&run.result(0)?) != Some(leaves as i64) {
                return Err("a wrong sum".into());
            }
        }
        Ok(seconds)
    }

    /// From submit to the result in the client's hands, of one task at a time.
    fn latency(&self) -> Outcome<Vec<f64>> {
        let (_cluster, remote) = self.cluster()?;
        let mut seconds = Vec::new();
        for turn in 0..self.repeat {
            let graph = independent(1, u64::from(turn));
            let begun = Instant::now();
            let results = remote.submit(graph)?.wait()?;
            seconds.push(begun.elapsed().as_secs_f64());
            if number(&results[0]) != Some(1) {
                return Err("a wrong result".into());
            }
        }
        Ok(seconds)
    }

    /// A chunk that was made on one worker is read by a task that only the other may run.
    fn transfer(&self) -> Outcome<Vec<f64>> {
        let (_cluster, remote) = self.cluster()?;
        let mut seconds = Vec::new();
        // The first round, whose memory the system hands out for the first time, is not measured.
        for turn in 0..=self.repeat {
            let mut graph = Graph::default();
            let table = append(&mut graph, on("worker-0", 1, Fill { bytes: self.bytes, value: turn }, vec![]));
            graph.want_all(table);
            let made = remote.submit(graph.clone())?;
            made.wait_stored()?;
            graph.wanted.clear();
            let last = append(&mut graph, on("worker-1", 1, Last, vec![Edge { layer: table, wiring: Wiring::Each }]));
            graph.want_all(last);
            let begun = Instant::now();
            let results = remote.submit(graph)?.wait()?;
            if turn > 0 {
                seconds.push(begun.elapsed().as_secs_f64());
            }
            if number(&results[0]) != Some(i64::from(turn)) {
                return Err("a wrong last number".into());
            }
        }
        Ok(seconds)
    }

    /// The resident memory of a scheduler's process with and without pending tasks: there is no worker. Tasks are submitted as one graph, or
    /// each by itself, as a program does that submits calls in a loop.
    fn memory(&self) -> Outcome<String> {
        let mut found = serde_json::Map::new();
        for (name, shape) in [("independent", independent as fn(u32, u64) -> Graph), ("tree", tree)] {
            let tasks = if name == "tree" { self.tasks.next_power_of_two() - 1 } else { self.tasks };
            let graph = shape(tasks, 0);
            found.insert(name.into(), pending(tasks, |remote| remote.submit(graph))?);
        }
        // The client has as many handles, so ten millions would say more of it.
        let submits = self.tasks.min(100_000);
        let graphs: Vec<Graph> = (0..submits).map(|turn| independent(1, 100 + u64::from(turn))).collect();
        let one_by_one =
            |remote: &Remote| graphs.into_iter().map(|graph| remote.submit_each(graph)).collect::<Result<Vec<RunEach>, Failure>>();
        found.insert("submits".into(), pending(submits, one_by_one)?);
        let (bytes, accepted) = (found["independent"]["bytes_per_task"].clone(), found["independent"]["accepted_seconds"].clone());
        let version = env!("CARGO_PKG_VERSION");
        let said = serde_json::json!({
            "what": self.what, "tasks": self.tasks, "bytes_per_task": bytes, "seconds": [accepted], "shapes": found, "version": version,
        });
        Ok(said.to_string())
    }
}

/// What tasks cost a scheduler that are submitted to it and wait, and how long it takes until it has them.
fn pending<T>(tasks: u32, submit: impl FnOnce(&Remote) -> Result<T, Failure>) -> Outcome<serde_json::Value> {
    let scheduler = Part::start("scheduler")?;
    let remote = Remote::connect(&scheduler.said, client::Options::default(), registry())?;
    let first = remote.submit(independent(7, 1))?;
    // The answer comes after all that was sent before.
    remote.info()?;
    let before = resident(scheduler.child.id())?;
    let begun = Instant::now();
    let held = submit(&remote)?;
    remote.info()?;
    let accepted = begun.elapsed().as_secs_f64();
    let bytes = resident(scheduler.child.id())?.saturating_sub(before);
    drop((first, held));
    Ok(serde_json::json!({ "bytes_per_task": bytes as f64 / f64::from(tasks), "accepted_seconds": accepted }))
}

/// Bytes of a process that are in memory.
fn resident(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("a process without memory")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}

// ---- Other processes ---------------------------------------------------------------------------------------------------------

/// This program once more, as something else. It ends with its standard input.
struct Part {
    child: Child,
    /// Its first line: where it listens.
    said: String,
    _input: Option<ChildStdin>,
}

impl Part {
    fn start(part: &str) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?).env(PART, part).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut said)?;
        let _input = child.stdin.take();
        Ok(Self { child, said: said.trim().into(), _input })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

fn play(part: &str) -> Outcome<()> {
    if part == "scheduler" {
        let options = scheduler::Options { port: 0, state_file: false, ..scheduler::Options::new(ServerSecurity::plain(None)) };
        let server = Server::start(options)?;
        say(&server.join_link())?;
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(());
    }
    bare_tcp::other_side(part)
}
