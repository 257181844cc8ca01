//! Workers in this process that talk over real links: tasks run at once in the hearing task, and chunks are in one place that
//! all of them share, so no data port is needed.
//!
//! They refuse to be clever: what the scheduler says is done in the order in which it comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partita_core::protocol::{About, Assignment, ToScheduler, ToWorker};
use partita_graph::{
    Arg, Chunk, Code, Edge, Encoded, Failure, Graph, Key, Layer, NamedOperator, OpRef, Operator, OperatorEntry, Plain, Registry,
    TaskContext, Value, Wiring, run_task,
};
use partita_net::address::Address;
use partita_net::link::{Link, LinkEvent, connect};
use partita_net::message::{Hello, NannyToScheduler, PeerInfo, SchedulerToNanny, SchedulerToWorker, WorkerToScheduler};
use partita_net::scheduler::{Options, Server};
use partita_net::security::{Role, Security, ServerSecurity};
use partita_net::wire;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

/// What a task of the tests does.
#[derive(Clone, Serialize, Deserialize)]
pub enum Act {
    /// Its own index.
    Number,
    /// The sum of what it reads.
    Sum,
    /// Bytes that are too many to come with the answer.
    Large,
    Panic,
    /// A value of a kind that no registry decodes.
    Alien,
    /// How many bytes its argument has.
    Weigh,
}

impl Operator for Act {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        match self {
            Act::Number => Ok(Chunk::new(Plain(i64::from(ctx.key.index)))),
            Act::Sum => Ok(Chunk::new(Plain(inputs.iter().map(number).sum::<i64>()))),
            Act::Large => Ok(Chunk::new(Plain(vec![ctx.key.index as u8; 1 << 20]))),
            Act::Panic => panic!("as asked"),
            Act::Alien => Ok(Chunk::new(Alien)),
            Act::Weigh => match ctx.arg()? {
                Arg::Bytes(bytes) => Ok(Chunk::new(Plain(bytes.len() as i64))),
                Arg::Chunk { .. } => Err(Failure::internal("bytes were expected")),
            },
        }
    }
}

impl NamedOperator for Act {
    const NAME: &'static str = "test.act";
}

pub struct Alien;

impl Value for Alien {
    fn kind(&self) -> &'static str {
        "alien"
    }
    fn nbytes(&self) -> u64 {
        1
    }
    fn encode(&self) -> Result<Encoded, Failure> {
        Ok(Encoded::of(vec![1]))
    }
}

pub fn number(chunk: &Chunk) -> i64 {
    chunk.get::<Plain<i64>>().expect("a number").0
}

pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_operators(&[OperatorEntry::of::<Act>()]);
    registry
}

/// `len` tasks of one kind that read nothing.
pub fn layer(act: Act, len: u32) -> Layer {
    Layer::single("tasks", len, OpRef::new(act, "act"), vec![])
}

pub fn graph(act: Act, len: u32) -> Graph {
    let mut graph = Graph::default();
    let id = graph.add(layer(act, len));
    graph.want_all(id);
    graph
}

/// `len` tasks that have arguments of so many bytes.
pub fn heavy(len: usize, bytes: usize) -> Graph {
    let arg = |at: usize| Arg::Bytes(vec![at as u8; bytes].into());
    let mut graph = Graph::default();
    let id = graph.add(Layer::with_args("heavy", OpRef::new(Act::Weigh, "weigh"), (0..len).map(arg).collect(), vec![]));
    graph.want_all(id);
    graph
}

/// One task that reads `len` others.
pub fn merge(len: u32) -> Graph {
    let mut graph = Graph::default();
    let leaves = graph.add(layer(Act::Number, len));
    let edge = Edge { layer: leaves, wiring: Wiring::Every };
    let root = graph.add(Layer::single("sum", 1, OpRef::new(Act::Sum, "sum"), vec![edge]));
    graph.want_all(root);
    graph
}

/// A scheduler on a free port, unencrypted, that leaves nothing in the user's folders.
pub fn options() -> Options {
    let mut options = Options::new(ServerSecurity::plain(None));
    (options.port, options.state_file, options.check) = (0, false, true);
    options
}

pub fn server() -> Server {
    Server::start(options()).expect("a free port")
}

/// Waits for something that must happen.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How a fake behaves.
#[derive(Clone)]
pub struct Ways {
    pub name: String,
    pub threads: u32,
    pub operators: Vec<String>,
    pub nanny: Option<u128>,
    pub incarnation: u128,
    /// Paths that it says are missing; `None` to say nothing at all.
    pub missing: Option<Vec<String>>,
    /// Tasks are kept and not run until it is told to.
    pub hold: bool,
}

impl Ways {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            threads: 2,
            operators: registry().operator_names().map(str::to_owned).collect(),
            nanny: None,
            incarnation: fastrand::u128(..),
            missing: Some(vec![]),
            hold: false,
        }
    }
}

/// What a fake and its test share.
#[derive(Default)]
pub struct Seen {
    pub closed: Mutex<Option<(String, bool)>>,
    pub ended: AtomicBool,
    pub executed: AtomicUsize,
    pub freed: AtomicUsize,
    pub abandoned: AtomicUsize,
    pub held: Mutex<Vec<Assignment>>,
    pub peers: AtomicUsize,
    pub shared: Mutex<HashMap<String, Vec<u8>>>,
}

/// Chunks of all fakes of one test.
pub type Store = Arc<Mutex<HashMap<Key, Chunk>>>;

/// A worker. Dropping it is a death: its sockets close without a word.
pub struct Fake {
    pub seen: Arc<Seen>,
    pub link: Link,
    ways: Ways,
    store: Store,
    _runtime: Dying,
}

struct Dying(Option<Runtime>);

impl Drop for Dying {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

fn one_thread() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread")
}

impl Fake {
    pub fn join(address: &Address, ways: Ways, store: &Store) -> Result<Fake, Failure> {
        let runtime = one_thread();
        let peer = PeerInfo::Worker {
            about: About::plain(&ways.name, ways.threads),
            data_port: 1,
            data_host: None,
            operators: ways.operators.clone(),
            pid: std::process::id(),
            incarnation: ways.incarnation,
            nanny: ways.nanny,
        };
        let (link, events, _) = runtime.block_on(async {
            let security = Security::resolve(address, Role::Worker, None).await?;
            connect(address, &security, Hello::new(peer)).await
        })?;
        let seen = Arc::new(Seen::default());
        let hand = Hand { seen: seen.clone(), link: link.clone(), ways: ways.clone(), store: store.clone() };
        runtime.spawn(hand.work(events));
        Ok(Fake { seen, link, ways, store: store.clone(), _runtime: Dying(Some(runtime)) })
    }

    /// One that keeps its tasks until it is told to run them.
    pub fn holding(address: &Address, name: &str, store: &Store) -> Fake {
        let ways = Ways { hold: true, ..Ways::new(name) };
        Fake::join(address, ways, store).expect("let in")
    }

    /// Waits until it has so many tasks that it keeps.
    pub fn until_it_has(&self, tasks: usize) {
        until("it has work", || self.seen.held.lock().unwrap().len() >= tasks);
    }

    /// Runs what was held, and everything from now on is held still.
    pub fn let_run(&self) {
        let held = std::mem::take(&mut *self.seen.held.lock().unwrap());
        let hand = Hand { seen: self.seen.clone(), link: self.link.clone(), ways: self.ways.clone(), store: self.store.clone() };
        let said = held.into_iter().map(|assignment| hand.execute(assignment)).collect();
        self.link.send(wire::encode_said(&WorkerToScheduler::Machine(said)));
    }

    pub fn say(&self, what: &WorkerToScheduler) {
        self.link.send(wire::encode_said(what));
    }
}

struct Hand {
    seen: Arc<Seen>,
    link: Link,
    ways: Ways,
    store: Store,
}

impl Hand {
    async fn work(self, mut events: UnboundedReceiver<LinkEvent>) {
        let mut decoder = wire::WorkerDecoder::new(registry());
        while let Some(event) = events.recv().await {
            match event {
                LinkEvent::Message(bytes) => self.hear(decoder.decode(&bytes).expect("the scheduler encodes well")),
                LinkEvent::Closed(_) => break,
                LinkEvent::Lost(_) | LinkEvent::Back => {}
            }
        }
        self.seen.ended.store(true, Ordering::SeqCst);
    }

    fn hear(&self, message: SchedulerToWorker) {
        match message {
            SchedulerToWorker::Machine(list) => {
                let said: Vec<ToScheduler> = list.into_iter().filter_map(|message| self.obey(message)).collect();
                if !said.is_empty() {
                    self.link.send(wire::encode_said(&WorkerToScheduler::Machine(said)));
                }
            }
            SchedulerToWorker::Peers(peers) => drop(self.seen.peers.fetch_add(peers.len(), Ordering::SeqCst)),
            SchedulerToWorker::ForgetLayers(_) => {}
            SchedulerToWorker::CheckPaths { query, paths } => {
                if let Some(missing) = &self.ways.missing {
                    let missing = paths.into_iter().filter(|path| missing.contains(path)).collect();
                    self.link.send(wire::encode_said(&WorkerToScheduler::Paths { query, missing }));
                }
            }
            SchedulerToWorker::Shared { name, body } => drop(self.seen.shared.lock().unwrap().insert(name, body.0)),
            SchedulerToWorker::Close { reason, restart } => *self.seen.closed.lock().unwrap() = Some((reason, restart)),
        }
    }

    fn obey(&self, message: ToWorker) -> Option<ToScheduler> {
        match message {
            ToWorker::Assign(assignment) if self.ways.hold => {
                self.seen.held.lock().unwrap().push(assignment);
                None
            }
            ToWorker::Assign(assignment) => Some(self.execute(assignment)),
            ToWorker::Free(keys) => {
                self.seen.freed.fetch_add(keys.len(), Ordering::SeqCst);
                None
            }
            ToWorker::Abandon(key, attempt) => {
                self.seen.abandoned.fetch_add(1, Ordering::SeqCst);
                let mut held = self.seen.held.lock().unwrap();
                let before = held.len();
                held.retain(|assignment| (assignment.key, assignment.attempt) != (key, attempt));
                (held.len() < before).then_some(ToScheduler::Ended(key, attempt))
            }
            ToWorker::Retract(key, attempt) => Some(ToScheduler::Kept(key, attempt)),
            ToWorker::Acquire { key, .. } => Some(ToScheduler::Replicated(key)),
            ToWorker::PeerGone(_) | ToWorker::Holders { .. } => None,
        }
    }

    fn execute(&self, assignment: Assignment) -> ToScheduler {
        self.seen.executed.fetch_add(1, Ordering::SeqCst);
        let Assignment { key, attempt, .. } = assignment;
        let inputs: Option<Vec<Vec<Chunk>>> = {
            let store = self.store.lock().unwrap();
            let of_edge = |edge: &Vec<partita_core::protocol::Input>| edge.iter().map(|input| store.get(&input.key).cloned()).collect();
            assignment.inputs.iter().map(of_edge).collect()
        };
        let inputs = inputs.expect("every stored chunk is in the common store");
        let outcome = run_task(&assignment.layer, key, attempt, &inputs, &AtomicBool::new(false), &registry());
        match outcome.result {
            Ok(chunk) => {
                let small = assignment.inline && chunk.nbytes() < 1000;
                let value = small.then(|| wire::encode_value(&chunk).expect("small values have a form").into());
                let nbytes = chunk.nbytes();
                self.store.lock().unwrap().insert(key, chunk);
                ToScheduler::Finished { key, attempt, nbytes, micros: 1, notes: outcome.notes, value }
            }
            Err(failure) => ToScheduler::Failed { key, attempt, failure },
        }
    }
}

/// A nanny that does what it is told and remembers it.
pub struct FakeNanny {
    pub link: Link,
    pub told: Arc<Mutex<Vec<SchedulerToNanny>>>,
    _runtime: Dying,
}

impl FakeNanny {
    pub fn join(address: &Address, id: u128, worker_name: &str) -> FakeNanny {
        let runtime = one_thread();
        let peer = PeerInfo::Nanny { id, host: "here".into(), worker_name: worker_name.into() };
        let (link, mut events, _) = runtime
            .block_on(async {
                let security = Security::resolve(address, Role::Nanny, None).await?;
                connect(address, &security, Hello::new(peer)).await
            })
            .expect("a nanny is let in");
        let told: Arc<Mutex<Vec<SchedulerToNanny>>> = Arc::default();
        let ears = told.clone();
        runtime.spawn(async move {
            while let Some(event) = events.recv().await {
                if let LinkEvent::Message(bytes) = event {
                    ears.lock().unwrap().push(wire::decode_to_nanny(&bytes).expect("the scheduler encodes well"));
                }
            }
        });
        FakeNanny { link, told, _runtime: Dying(Some(runtime)) }
    }

    pub fn say(&self, what: &NannyToScheduler) {
        self.link.send(wire::encode_nanny(what));
    }
}

/// The failure that must be there, of this kind.
#[track_caller]
pub fn refused<T>(result: Result<T, Failure>, code: Code) -> Failure {
    let failure = result.err().expect("it must be refused");
    assert_eq!(failure.code, code, "{failure}");
    failure
}
