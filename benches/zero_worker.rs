//! What the scheduler's process costs by itself: workers that answer at once and do nothing, in this process but over real
//! sockets, encrypted unless told otherwise. A client submits, and everything between it and the workers is the real thing:
//! encoding, links, TLS, the machine. Scheduler, client and workers share the cores, so the throughput is of all together; what
//! each of them takes is told apart. A worker's share is mostly its end of links: messages are what costs, not tasks.
//!
//! `cargo bench -p partita-net --bench zero_worker`; after `--` any of `plain` (no encryption), `values` (results of eight bytes
//! travel with the answers), `quick` (small graphs, to see that it runs), names of graphs (`independent`, `merge`, `tree`, `accepted`;
//! all by default), or numbers of workers (default 24 and 1512).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partita_core::protocol::{About, ToScheduler, ToWorker};
use partita_graph::{
    Chunk, Edge, Executor, Failure, Graph, Layer, NamedOperator, OpRef, Operator, OperatorEntry, Plain, Registry, TaskContext, Wiring,
};
use partita_net::client::{self, Remote};
use partita_net::link::{Link, LinkEvent, connect};
use partita_net::message::{Hello, PeerInfo, SchedulerToWorker, WorkerToScheduler};
use partita_net::scheduler::{Options, Server};
use partita_net::security::{Role, Security, ServerSecurity};
use partita_net::wire;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

/// Runs of which the median is told.
const TRIES: usize = 3;

/// An operator that is never run. The number tells layers apart.
#[derive(Serialize, Deserialize)]
struct Nothing(u32);

impl Operator for Nothing {
    fn run(&self, _: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(Chunk::new(Plain(0i64)))
    }
}

impl NamedOperator for Nothing {
    const NAME: &'static str = "bench.nothing";
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(&[OperatorEntry::of::<Nothing>()]);
    registry
}

fn layer(token: u32, len: u32, edges: Vec<Edge>) -> Layer {
    Layer::single("nothing", len, OpRef::new(Nothing(token), "nothing"), edges)
}

fn independent(tasks: u32) -> Graph {
    let mut graph = Graph::default();
    let id = graph.add(layer(0, tasks, vec![]));
    graph.want_all(id);
    graph
}

/// One task reads all others.
fn merge(tasks: u32) -> Graph {
    let mut graph = Graph::default();
    let leaves = graph.add(layer(0, tasks, vec![]));
    let root = graph.add(layer(1, 1, vec![Edge { layer: leaves, wiring: Wiring::Every }]));
    graph.want_all(root);
    graph
}

/// A binary tree of so many levels.
fn tree(levels: u32) -> Graph {
    let mut graph = Graph::default();
    let mut last = graph.add(layer(0, 1 << (levels - 1), vec![]));
    for level in (0..levels - 1).rev() {
        last = graph.add(layer(levels - level, 1 << level, vec![Edge { layer: last, wiring: Wiring::Group(2) }]));
    }
    graph.want_all(last);
    graph
}

struct Zero {
    link: Link,
    decoder: wire::WorkerDecoder,
    value: Option<Arc<[u8]>>,
}

impl Zero {
    async fn work(mut self, mut events: UnboundedReceiver<LinkEvent>) {
        let mut batch = Vec::new();
        while events.recv_many(&mut batch, 64).await > 0 {
            let mut said = Vec::new();
            MESSAGES.fetch_add(batch.len() as u64, Ordering::Relaxed);
            for event in batch.drain(..) {
                match event {
                    LinkEvent::Message(bytes) => match self.decoder.decode(&bytes).expect("the scheduler encodes well") {
                        SchedulerToWorker::Machine(list) => said.extend(list.into_iter().filter_map(|message| self.answer(message))),
                        SchedulerToWorker::Close { .. } => return self.link.close("as told"),
                        _ => {}
                    },
                    LinkEvent::Closed(_) => return,
                    LinkEvent::Lost(_) | LinkEvent::Back => {}
                }
            }
            if !said.is_empty() {
                self.link.send(wire::encode_said(&WorkerToScheduler::Machine(said)));
            }
        }
    }

    /// Everything has run and has been fetched already.
    fn answer(&self, message: ToWorker) -> Option<ToScheduler> {
        match message {
            ToWorker::Assign(task) => {
                let value = self.value.clone().filter(|_| task.inline);
                let micros = u64::from(task.key.index & 1);
                Some(ToScheduler::Finished { key: task.key, attempt: task.attempt, nbytes: 8, micros, notes: Vec::new(), value })
            }
            ToWorker::Acquire { key, .. } => Some(ToScheduler::Replicated(key)),
            ToWorker::Retract(key, attempt) => Some(ToScheduler::Kept(key, attempt)),
            ToWorker::Free(_) | ToWorker::Abandon(..) | ToWorker::PeerGone(_) | ToWorker::Holders { .. } => None,
        }
    }
}

struct Wishes {
    plain: bool,
    values: bool,
    quick: bool,
    graphs: Vec<String>,
    workers: Vec<u32>,
}

impl Wishes {
    fn read() -> Self {
        let mut wishes = Self { plain: false, values: false, quick: false, graphs: Vec::new(), workers: Vec::new() };
        for word in std::env::args().skip(1) {
            match word.as_str() {
                "plain" => wishes.plain = true,
                "values" => wishes.values = true,
                "quick" | "--test" => wishes.quick = true,
                "--bench" => {}
                "independent" | "merge" | "tree" | "accepted" => wishes.graphs.push(word),
                number => wishes.workers.push(number.parse().unwrap_or_else(|_| panic!("`{number}` is no number of workers"))),
            }
        }
        if wishes.workers.is_empty() {
            wishes.workers = if wishes.quick { vec![4, 24] } else { vec![24, 1512] };
        }
        wishes
    }

    fn wants(&self, graph: &str) -> bool {
        self.graphs.is_empty() || self.graphs.iter().any(|wanted| graph.starts_with(&**wanted))
    }

    fn server(&self) -> Server {
        let security = match self.plain {
            true => ServerSecurity::plain(None),
            false => ServerSecurity::new_cluster(None).expect("an authority"),
        };
        let mut options = Options::new(security);
        options.port = 0;
        Server::start(options).expect("a free port")
    }

    fn crew(&self, server: &Server, count: u32) -> Runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("zero-workers")
            .enable_all()
            .build()
            .expect("a thread");
        let address = server.client_address();
        let security = runtime.block_on(Security::resolve(&address, Role::Worker, None)).expect("let in");
        let value = self.values.then(|| wire::encode_value(&Chunk::new(Plain(0i64))).expect("a number has a form").into());
        for number in 0..count {
            let peer = PeerInfo::Worker {
                about: About::plain(&format!("w{number}"), 1),
                data_port: 1,
                data_host: None,
                operators: vec![Nothing::NAME.into()],
                pid: 0,
                incarnation: u128::from(number),
                nanny: None,
            };
            let (link, events, _) = runtime.block_on(connect(&address, &security, Hello::new(peer))).expect("let in");
            let decoder = wire::WorkerDecoder::new(registry());
            runtime.spawn(Zero { link, decoder, value: value.clone() }.work(events));
        }
        runtime
    }
}

fn client(server: &Server) -> Arc<Remote> {
    Remote::connect_to(server.client_address(), client::Options::default(), registry()).expect("let in")
}

/// Microseconds that threads of such names were on a processor: other work on the machine does not count.
fn on_processor(names: &[&str]) -> u64 {
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task").expect("this bench needs Linux").flatten() {
        let read = |file: &str| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if names.iter().any(|name| read("comm").starts_with(name)) {
            nanos += read("schedstat").split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    nanos / 1000
}

/// The scheduler's thread and those of its links, as far as the system keeps their names.
const SCHEDULER: &[&str] = &["partita-schedul", "partita-links"];
const WORKERS: &[&str] = &["zero-workers"];

/// Messages that all workers got.
static MESSAGES: AtomicU64 = AtomicU64::new(0);

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("this bench needs Linux");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * 4096)
}

struct Row {
    wall: Duration,
    scheduler: u64,
    workers: u64,
    messages: u64,
}

fn measure(remote: &Remote, graph: &Graph) -> Row {
    let graph = graph.clone();
    let look = || (on_processor(SCHEDULER), on_processor(WORKERS), MESSAGES.load(Ordering::Relaxed));
    let (before, start) = (look(), Instant::now());
    let run = remote.submit(graph).expect("sound");
    run.wait_stored().expect("nothing fails");
    let (wall, after) = (start.elapsed(), look());
    let row = Row { wall, scheduler: after.0 - before.0, workers: after.1 - before.1, messages: after.2 - before.2 };
    drop(run);
    // Chunks of one try must not be there in the next.
    while !remote.nbytes().expect("answered").is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    row
}

fn throughput(wishes: &Wishes) {
    let small = if wishes.quick { 1_000 } else { 100_000 };
    let mut shapes = vec![
        ("independent", independent(small)),
        ("independent", independent(small * 10)),
        ("independent", independent(small * 100)),
        ("merge", merge(small)),
        ("tree-15", tree(if wishes.quick { 8 } else { 15 })),
    ];
    shapes.retain(|(name, _)| wishes.wants(name));
    if shapes.is_empty() {
        return;
    }
    println!("| graph | tasks | workers | s | tasks/s | scheduler, us a task | workers, us a task | tasks a message |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for &workers in &wishes.workers {
        let server = wishes.server();
        let crew = wishes.crew(&server, workers);
        let remote = client(&server);
        remote.wait_for_workers(workers as usize, Duration::from_secs(60)).expect("all come");
        measure(&remote, &independent(small));
        for (name, graph) in &mut shapes {
            let mut rows: Vec<Row> = (0..TRIES).map(|_| measure(&remote, graph)).collect();
            rows.sort_by_key(|row| row.wall);
            let (row, tasks) = (&rows[TRIES / 2], graph.tasks() as f64);
            let seconds = row.wall.as_secs_f64();
            let each = |micros: u64| micros as f64 / tasks;
            println!(
                "| {name} | {tasks} | {workers} | {seconds:.3} | {:.0} | {:.2} | {:.2} | {:.1} |",
                tasks / seconds,
                each(row.scheduler),
                each(row.workers),
                tasks / row.messages as f64
            );
        }
        drop(remote);
        server.close();
        crew.shutdown_background();
    }
}

/// A graph that nobody runs: how long until the scheduler has taken it, and what it costs to keep it.
fn acceptance(wishes: &Wishes) {
    if !wishes.wants("accepted") {
        return;
    }
    println!("\n| graph without workers | accepted after s | bytes a pending task, client included |\n| --- | ---: | ---: |");
    let sizes: &[u32] = if wishes.quick { &[100_000] } else { &[1_000_000, 10_000_000] };
    for &tasks in sizes {
        let server = wishes.server();
        let remote = client(&server);
        let graph = independent(tasks);
        let (start, before) = (Instant::now(), resident());
        let run = remote.submit(graph).expect("sound");
        // Answered after the graph, because a link keeps the order.
        remote.info().expect("answered");
        let seconds = start.elapsed().as_secs_f64();
        let bytes = resident().saturating_sub(before) as f64 / f64::from(tasks);
        println!("| {tasks} tasks | {seconds:.3} | {bytes:.0} |");
        drop(run);
    }
}

fn main() {
    let wishes = Wishes::read();
    println!(
        "{}, results {}\n",
        if wishes.plain { "plain" } else { "mutual TLS 1.3" },
        if wishes.values { "with the answers" } else { "stay" }
    );
    throughput(&wishes);
    acceptance(&wishes);
}
