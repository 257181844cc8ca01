//! What processes of a cluster say to each other, as plain data.
//!
//! It refuses to know bytes and sockets: `wire` encodes these types, `link` carries them. The machines' own messages are in
//! `partita_core::protocol`; here is what the shells around the machines need besides.
//!
//! Invariant: nothing in here holds an operator's object, so that no receiver decodes one before it means to run it.

use std::fmt;

use bytes::Bytes;
use partita_core::coordination;
use partita_core::protocol::{About, Attempt, Ending, ToScheduler, ToWorker, WorkerId};
use partita_graph::{Failure, Graph, Key, LayerId, Progress};
use serde::{Deserialize, Serialize};

/// Both sides of a link must have the same number.
pub const PROTOCOL: u32 = 5;

/// Bytes of one thing that clients share with all workers: see [`Question::Share`].
pub const MOST_SHARED: usize = 16 << 20;

/// This program's version, for refusals and for people.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first message on a stream: who calls, and which session goes on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the caller.
    pub protocol: u32,
    /// [`VERSION`] of the caller.
    pub version: String,
    /// Random; it names the session over all its connections.
    pub session: u128,
    /// How many messages of the session the caller has received.
    pub received: u64,
    /// Whether the session goes on; false for a new one.
    pub resume: bool,
    /// The shared secret, where the cluster has one.
    pub secret: Option<[u8; 32]>,
    /// Who calls.
    pub peer: PeerInfo,
}

impl Hello {
    /// The first hello of a new session. The link fills in the session's number.
    pub fn new(peer: PeerInfo) -> Self {
        Self { protocol: PROTOCOL, version: VERSION.into(), session: 0, received: 0, resume: false, secret: None, peer }
    }
}

impl fmt::Debug for Hello {
    /// Without the secret and the session's number, which is a right too: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hello = f.debug_struct("Hello");
        hello.field("protocol", &self.protocol).field("version", &self.version).field("received", &self.received);
        hello.field("resume", &self.resume).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Who is at the other end of a link to the scheduler.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PeerInfo {
    /// A process that runs tasks.
    Worker {
        /// What the machine needs to know of it.
        about: About,
        /// Where it serves chunks.
        data_port: u16,
        /// The host under which others reach that port; `None` for the one that the scheduler sees it come from.
        data_host: Option<String>,
        /// The operators that it can decode, in order.
        operators: Vec<String>,
        /// Its process, for people.
        pid: u32,
        /// Random, one for each start of a process.
        incarnation: u128,
        /// Its nanny's number, when it has one.
        nanny: Option<u128>,
    },
    /// Somebody who submits graphs.
    Client {
        /// For people.
        name: String,
    },
    /// A process that starts and watches a worker.
    Nanny {
        /// Random; workers name it.
        id: u128,
        /// Its host, for people.
        host: String,
        /// The name that its worker will have, or an empty text.
        worker_name: String,
    },
}

/// The answer to [`Hello`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL`] of the scheduler.
    pub protocol: u32,
    /// [`VERSION`] of the scheduler.
    pub version: String,
    /// Random, one for each start of a scheduler.
    pub epoch: u64,
    /// The caller's number: of a worker or of a client.
    pub id: u64,
    /// How many messages of the session the scheduler has received; the link fills it in.
    pub received: u64,
    /// The cluster's name, for people.
    pub cluster: String,
}

/// Where a worker serves chunks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PeerAddress {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Bytes that are never shown.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    /// Only how many: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sealed bytes", self.0.len())
    }
}

/// From the scheduler to a worker.
#[derive(Clone, Debug)]
pub enum SchedulerToWorker {
    /// For the machine, in order.
    Machine(Vec<ToWorker>),
    /// Where workers are found; said before one is named as a holder for the first time.
    Peers(Vec<(WorkerId, PeerAddress)>),
    /// These layers will not be named again without a new definition.
    ForgetLayers(Vec<LayerId>),
    /// Which of these paths do not exist there? Answered with `Paths`.
    CheckPaths {
        /// Repeated in the answer.
        query: u64,
        /// Absolute paths.
        paths: Vec<String>,
    },
    /// A client shares this with all workers. What was shared under the name before is replaced.
    Shared {
        /// Which.
        name: String,
        /// For whoever knows the name.
        body: Sealed,
    },
    /// End.
    Close {
        /// For people.
        reason: String,
        /// Whether a nanny is to start the worker again.
        restart: bool,
    },
}

/// From a worker to the scheduler.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerToScheduler {
    /// From the machine, in order.
    Machine(Vec<ToScheduler>),
    /// The answer to `CheckPaths`.
    Paths {
        /// As asked.
        query: u64,
        /// Those that do not exist.
        missing: Vec<String>,
    },
    /// The worker wants to go: its lifetime is over, or it was told to end.
    Retire,
    /// It goes now, whatever it holds.
    Left,
}

/// From a client to the scheduler.
#[derive(Clone, Debug)]
pub enum ClientToScheduler {
    /// Compute this.
    Submit {
        /// The client's own number for the run.
        run: u64,
        /// Optimized, without closures.
        graph: Graph,
        /// Whether its wanted keys end as one or one by one.
        ending: Ending,
    },
    /// Single keys of a run are no longer wanted.
    Forget {
        /// The client's number of it.
        run: u64,
        /// The keys.
        keys: Vec<Key>,
    },
    /// Stop the run.
    Cancel(u64),
    /// The run's results are no longer wanted.
    Release(u64),
    /// A question.
    Ask {
        /// Repeated in the answer.
        query: u64,
        /// What.
        what: Question,
    },
    /// Release everything of this client now.
    Goodbye,
}

/// What there is to say of single keys of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyNews {
    /// Small results, said before the end that counts them, or with it.
    pub values: Vec<(Key, Bytes)>,
    /// Keys that are done, where they end one by one.
    pub done: Vec<Key>,
    /// Keys that failed, where they end one by one, with the failure that each list has in common. A key may stand among those
    /// that are done too: it was lost then, and cannot be made again.
    pub failed: Vec<(Vec<Key>, Failure)>,
}

/// From the scheduler to a client. One message carries several of these, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum SchedulerToClient {
    /// All results of the run exist, or have an end where they end one by one.
    Done(u64),
    /// The run failed as a whole.
    Failed(u64, Failure),
    /// Small results and single ends.
    Keys(u64, KeyNews),
    /// A remark for the user.
    Note(u64, String),
    /// How far a run is.
    Progress(u64, Progress),
    /// The answer to `Ask`.
    Answer {
        /// As asked.
        query: u64,
        /// What was asked for, or why not.
        answer: Result<Answer, Failure>,
    },
    /// A message of a topic that the client subscribed to.
    Delivered {
        /// The topic.
        topic: coordination::Name,
        /// What was published.
        message: coordination::Bytes,
    },
    /// The scheduler ends.
    Closing(String),
}

/// From a nanny to the scheduler.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NannyToScheduler {
    /// The worker's process ended.
    Died {
        /// Of the process that ended.
        incarnation: u128,
        /// For people: a signal, a memory limit that was passed.
        why: String,
        /// What was executing, when the recorder could be read.
        executing: Option<Vec<(Key, Attempt)>>,
    },
    /// The worker ended too often and is not started again.
    GivenUp {
        /// For people.
        why: String,
    },
}

/// From the scheduler to a nanny.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SchedulerToNanny {
    /// End the worker's process and start another.
    Restart {
        /// Which process; another one is left alone.
        incarnation: u128,
    },
    /// End the worker and yourself.
    Close {
        /// For people.
        reason: String,
    },
}

/// What a client can ask.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Question {
    /// Where the results of one of the client's runs are: `Located`.
    Locate {
        /// The client's number of it.
        run: u64,
    },
    /// Which workers hold these chunks: `WhoHas`.
    WhoHas(Vec<Key>),
    /// What a worker of this name holds, or all workers: `HasWhat`.
    HasWhat(Option<String>),
    /// Bytes by layer: `Nbytes`.
    Nbytes,
    /// The cluster at this moment: `Info`.
    Info,
    /// What happened to a task: `Text`, one line each.
    Story(Key),
    /// Why a task does not run: `Text`, one line each.
    ExplainWait(Key),
    /// How far a running task says that it is: `Told`.
    Told(Key),
    /// Workers of these names shall go: `Names` of those that went, once they did.
    Retire {
        /// Names, or addresses of data ports.
        names: Vec<String>,
        /// How long they may take, in microseconds; those that take longer stay, and that is an error.
        within: u64,
    },
    /// All runs end and everything is forgotten: `Done`.
    Restart,
    /// Chunks move from full workers to empty ones: `Done` once it began.
    Rebalance,
    /// More copies of the run's results: `Done` once it began.
    Replicate {
        /// The client's number of it.
        run: u64,
        /// Copies in all.
        copies: u32,
    },
    /// The run's results get a name and outlive the client: `Done`.
    Publish {
        /// The name, new.
        name: String,
        /// The client's number of the run.
        run: u64,
        /// What a client needs to use the results; opaque to the scheduler.
        meta: Vec<u8>,
    },
    /// The name is free again: `Done`.
    Unpublish(String),
    /// All published names: `Names`.
    Datasets,
    /// A published name: `Dataset`.
    Dataset(String),
    /// Do these paths exist on every worker: `Missing`.
    CheckPaths(Vec<String>),
    /// End scheduler and workers: `Done`.
    Shutdown,
    /// Something of the coordination machine: `Coordinated`, perhaps much later.
    Coordinate(coordination::Ask),
    /// The answer to an earlier `Coordinate` is not waited for any more: `Done`.
    Withdraw {
        /// Its query.
        query: u64,
    },
    /// Where these chunks are: `Located`.
    LocateKeys(Vec<Key>),
    /// What all workers ever wrote to disk for want of memory: `Bytes`.
    SpilledTotal,
    /// All workers, those that join later too, are told this before any task that is submitted from now on: `Done`.
    Share {
        /// What was shared under the name before is replaced.
        name: String,
        /// For whoever knows the name.
        body: Sealed,
    },
}

/// What is answered to a [`Question`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// Where chunks are.
    Located(Located),
    /// For each key the names of the workers that hold it.
    WhoHas(Vec<(Key, Vec<String>)>),
    /// For each worker's name what it holds, with bytes.
    HasWhat(Vec<(String, Vec<(Key, u64)>)>),
    /// For each layer its name and the bytes of its chunks, copies counted once.
    Nbytes(Vec<(LayerId, String, u64)>),
    /// The cluster.
    Info(ClusterInfo),
    /// Lines for people.
    Text(Vec<String>),
    /// How much of how much is done, if the task runs and says so.
    Told(Option<(u64, u64)>),
    /// Names.
    Names(Vec<String>),
    /// A published dataset.
    Dataset {
        /// As it was published.
        meta: Vec<u8>,
        /// Its layers and wanted keys, encoded as a graph (see `wire::encode_graph`), so that a client can go on with them.
        graph: Vec<u8>,
        /// Where its chunks are.
        located: Located,
    },
    /// What the coordination machine answered.
    Coordinated(coordination::Answer),
    /// Paths that are missing somewhere.
    Missing {
        /// For each such path the names of the workers that do not have it.
        missing: Vec<(String, Vec<String>)>,
        /// How many workers were asked.
        asked: u32,
    },
    /// A number of bytes.
    Bytes(u64),
}

/// Where chunks are.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Located {
    /// Each key with its bytes and who holds it.
    pub chunks: Vec<(Key, u64, Vec<WorkerId>)>,
    /// Where those workers serve chunks.
    pub peers: Vec<(WorkerId, PeerAddress)>,
}

/// The cluster at one moment, for people and programs.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// The cluster's name.
    pub cluster: String,
    /// The scheduler's version.
    pub version: String,
    /// One for each start of the scheduler.
    pub epoch: u64,
    /// Where the scheduler listens.
    pub address: String,
    /// The scheduler's process.
    pub pid: u32,
    /// Microseconds since it started.
    pub uptime: u64,
    /// Connected workers, by number.
    pub workers: Vec<WorkerInfo>,
    /// Connected clients, by number.
    pub clients: Vec<ClientInfo>,
}

/// One worker in a [`ClusterInfo`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Its number.
    pub id: WorkerId,
    /// What it is and offers.
    pub about: About,
    /// Where it serves chunks.
    pub data: PeerAddress,
    /// Its process.
    pub pid: u32,
    /// Whether it has a nanny.
    pub nanny: bool,
    /// Whether messages flow.
    pub connected: bool,
    /// Whether it starts nothing because memory is full.
    pub paused: bool,
    /// Whether it is about to go.
    pub retiring: bool,
    /// Tasks that it was given and has not answered.
    pub assigned: u32,
    /// Bytes of chunks in its memory.
    pub managed: u64,
    /// Bytes of chunks on its disk.
    pub spilled: u64,
    /// Resident bytes of its process.
    pub rss: u64,
}

/// One client in a [`ClusterInfo`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientInfo {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether messages flow.
    pub connected: bool,
    /// Runs that it holds.
    pub runs: u32,
}
