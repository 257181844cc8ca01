//! Clusters on this host: they start, shrink, grow, and leave nothing behind.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use partita_deploy::{LocalCluster, LocalOptions, Rules};
use partita_graph::{Code, Executor, Graph, Plain};
use partita_net::client::{self, Remote};

use crate::Test;
use crate::operators::{Deed, layer, registry};
use crate::pretend::ROLE;
use crate::watch::{entries, exists, signal, until, zombies};

pub const TESTS: &[Test] = &[
    ("cluster_computes_and_leaves_nothing_behind", computes),
    ("cluster_over_tls_computes", tls),
    ("cluster_grows_and_shrinks", scales),
    ("cluster_that_cannot_start_says_why", cannot_start),
    ("cluster_dies_with_its_program", program_killed),
    ("cluster_closes_while_tasks_run", closes_busy),
    ("cluster_leaves_no_descriptor_open", descriptors),
];

/// Where a test keeps folders of workers and its journal.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn journal(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    pub fn spill(&self) -> std::path::PathBuf {
        self.folder.path().join("workers")
    }

    pub fn options(&self, workers: usize) -> LocalOptions {
        let rules = Rules { stop: Duration::from_secs(2), ..Rules::default() };
        LocalOptions {
            workers,
            threads_per_worker: Some(1),
            memory_limit: Some(1 << 30),
            local_directory: Some(self.spill()),
            start_timeout: Duration::from_secs(20),
            rules,
            ..LocalOptions::default()
        }
    }
}

pub fn connect(cluster: &LocalCluster) -> Arc<Remote> {
    Remote::connect(&cluster.address(), client::Options::default(), registry()).expect("the cluster is there")
}

/// The numbers that a graph's wanted keys become.
pub fn compute(client: &Remote, graph: Graph) -> Vec<i64> {
    let chunks = client.submit(graph).and_then(|run| run.wait()).expect("it computes");
    chunks.iter().map(|chunk| chunk.get::<Plain<i64>>().expect("a number").0).collect()
}

fn numbers(place: &Place, name: &str, len: u32) -> Graph {
    let mut graph = Graph::default();
    let id = graph.add(layer(name, len, Deed::Nothing, &place.journal(), &[]));
    graph.want_all(id);
    graph
}

fn computes() {
    let place = Place::new();
    let cluster = LocalCluster::start(place.options(2)).expect("it starts");
    let client = connect(&cluster);
    assert_eq!(compute(&client, numbers(&place, "a", 100)), (0..100).collect::<Vec<_>>());
    let pids: Vec<_> = cluster.pids().into_iter().map(|pid| pid.expect("a process")).collect();
    assert_eq!(pids.len(), 2);
    drop(client);
    let start = Instant::now();
    cluster.close();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(pids.iter().all(|pid| !exists(*pid)));
    assert!(zombies().is_empty(), "{:?}", zombies());
    assert_eq!(entries(&place.spill()), 0);
}

fn tls() {
    let place = Place::new();
    let cluster = LocalCluster::start(LocalOptions { tls: true, ..place.options(1) }).expect("it starts");
    assert!(cluster.address().starts_with("tls://"), "{}", cluster.address());
    assert_eq!(compute(&connect(&cluster), numbers(&place, "a", 10)), (0..10).collect::<Vec<_>>());
}

fn scales() {
    let place = Place::new();
    let cluster = LocalCluster::start(place.options(1)).expect("it starts");
    let client = connect(&cluster);
    cluster.scale(3);
    cluster.wait_joined(Duration::from_secs(20)).expect("two more");
    client.wait_for_workers(3, Duration::from_secs(10)).expect("the scheduler sees them");
    let last = cluster.pids()[2].expect("a process");
    cluster.scale(1);
    assert_eq!(cluster.pids().len(), 1);
    until("the last one is gone", 10, || !exists(last));
    until("the scheduler sees one", 10, || client.info().is_ok_and(|info| info.workers.len() == 1));
    assert_eq!(compute(&client, numbers(&place, "a", 10)), (0..10).collect::<Vec<_>>());
}

fn cannot_start() {
    let place = Place::new();
    let broken = || {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command.env(ROLE, "broken");
        command
    };
    let rules = Rules { allowed_starts: 2, ..Rules::default() };
    let options = LocalOptions { worker_command: Arc::new(broken), rules, ..place.options(2) };
    let failure = LocalCluster::start(options).expect_err("it cannot start");
    assert_eq!(failure.code, Code::WorkerStart);
    assert!(failure.to_string().contains("libmagic.so is missing"), "{failure}");
    assert_eq!((zombies(), entries(&place.spill())), (Vec::new(), 0));
}

/// The part of a program that is about to be killed: starts a cluster, prints its processes, waits.
pub fn hire() -> ExitCode {
    let folder = std::env::args().nth(2).expect("a folder");
    let place = Place::new();
    let cluster = LocalCluster::start(LocalOptions { local_directory: Some(folder.into()), ..place.options(2) }).expect("it starts");
    let mut out = std::io::stdout();
    writeln!(out, "{:?}", cluster.pids().into_iter().flatten().collect::<Vec<_>>()).expect("somebody reads");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS)
}

fn program_killed() {
    let place = Place::new();
    std::fs::create_dir(place.spill()).expect("a folder");
    let program = std::env::current_exe().expect("this program has a file");
    let mut child =
        Command::new(program).arg("--hire").arg(place.spill()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("its processes");
    let numbers = line.trim().trim_matches(['[', ']']).split(", ");
    let pids: Vec<u32> = numbers.map(|pid| pid.parse().expect("a process number")).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| exists(*pid)), "{line}");
    signal(child.id(), Signal::SIGKILL);
    child.wait().expect("it is reaped");
    let gone = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    until("no worker outlives the program", 10, || pids.iter().all(|pid| gone(*pid)));
    until("no folder outlives it", 5, || entries(&place.spill()) == 0);
}

fn closes_busy() {
    let place = Place::new();
    let cluster = LocalCluster::start(place.options(2)).expect("it starts");
    let client = connect(&cluster);
    let mut graph = Graph::default();
    let id = graph.add(layer("slow", 50, Deed::Wait(400), &place.journal(), &[]));
    graph.want_all(id);
    let run = client.submit(graph).expect("it is accepted");
    until("something runs", 10, || place.journal().exists());
    let start = Instant::now();
    cluster.close();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!(run.wait().expect_err("the cluster is gone").code, Code::Disconnected);
    assert_eq!((zombies(), entries(&place.spill())), (Vec::new(), 0));
}

fn descriptors() {
    let round = |number: usize| {
        let place = Place::new();
        let cluster = LocalCluster::start(LocalOptions { tls: number % 2 == 1, ..place.options(1) }).expect("it starts");
        assert_eq!(compute(&connect(&cluster), numbers(&place, "a", 10)), (0..10).collect::<Vec<_>>());
        cluster.close();
    };
    let open = || entries(Path::new("/proc/self/fd"));
    // What a process opens once and keeps is open after these.
    (0..2).for_each(round);
    let before = open();
    (0..4).for_each(round);
    until("what clusters had open is closed", 10, || open() <= before);
}
