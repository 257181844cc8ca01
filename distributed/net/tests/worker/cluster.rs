//! A scheduler, some workers and a client in this process.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use partita_local::{Job, Pool, ThreadPool};
use partita_net::client::{self, Remote};
use partita_net::scheduler::{self, Server};
use partita_net::security::ServerSecurity;
use partita_net::worker::{Options, Worker};

use crate::operators::registry;

thread_local! {
    /// Which worker's task this thread runs.
    static HERE: Cell<u64> = const { Cell::new(0) };
}

/// The number of the worker whose task runs in this thread, 0 for none.
pub fn here() -> u64 {
    HERE.get()
}

/// Threads that know their worker.
struct Numbered {
    threads: ThreadPool,
    number: u64,
}

impl Pool for Numbered {
    fn threads(&self) -> usize {
        self.threads.threads()
    }

    fn spawn(&self, job: Job) {
        self.threads.spawn(job);
    }

    fn run_task(&self, _alone: bool, task: &mut (dyn FnMut() + Send)) {
        HERE.set(self.number);
        task();
    }
}

/// A worker and its number.
pub struct Member {
    pub worker: Worker,
    pub number: u64,
}

pub struct Cluster {
    pub client: Arc<Remote>,
    pub workers: Vec<Member>,
    pub server: Server,
}

pub fn tls() -> ServerSecurity {
    ServerSecurity::new_cluster(None).expect("certificates are made")
}

pub fn options(name: &str) -> Options {
    Options { name: Some(name.into()), death_timeout: Duration::from_secs(10), check: true, ..Options::default() }
}

pub fn start(server: &Server, threads: usize, options: Options) -> Member {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Relaxed);
    let pool = Arc::new(Numbered { threads: ThreadPool::new(threads), number });
    let worker = Worker::start(&server.client_address(), options, pool, registry(), None).expect("it joins");
    Member { worker, number }
}

pub fn server(security: ServerSecurity) -> Server {
    let options = scheduler::Options { port: 0, check: true, ..scheduler::Options::new(security) };
    Server::start(options).expect("the scheduler starts")
}

impl Cluster {
    pub fn new(security: ServerSecurity, workers: usize, threads: usize) -> Self {
        Self::with(security, (0..workers).map(|at| (threads, options(&format!("w{at}")))).collect())
    }

    pub fn with(security: ServerSecurity, workers: Vec<(usize, Options)>) -> Self {
        let server = server(security);
        let workers: Vec<Member> = workers.into_iter().map(|(threads, options)| start(&server, threads, options)).collect();
        let client = connect(&server);
        client.wait_for_workers(workers.len(), Duration::from_secs(20)).expect("they join");
        Self { client, workers, server }
    }
}

pub fn connect(server: &Server) -> Arc<Remote> {
    Remote::connect_to(server.client_address(), client::Options::default(), registry()).expect("the client connects")
}
