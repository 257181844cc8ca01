//! The worker as a process: the local engine with a scheduler and peers in other processes.
//!
//! It refuses to decide what is run, fetched or dropped: the machine does. Invariants: what the scheduler says is heard in
//! order; every piece that the machine asks of a peer is answered; whatever ends the worker, its folder for spilled chunks is
//! removed and its ports are closed before [`Worker::wait`] returns.

mod fetching;
mod join;
mod outside;
pub mod recorder;
mod shelf;
mod talk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use partita_core::protocol::WorkerId;
use partita_core::worker::{Config, Snapshot};
use partita_graph::{Code, Failure, Milli, Registry};
use partita_local::{Pool, Usage};
use tokio::runtime::Runtime;

use crate::address::Address;
use crate::flight::FrameDoor;
use crate::message::{PeerAddress, WorkerToScheduler};
use crate::one_thread::OneThread;
use crate::security::TlsFiles;
use crate::wire::encode_said;
use talk::Office;

/// Requests that one worker serves at a time; others are told that it is busy.
const SERVED_AT_A_TIME: usize = 16;
/// How long the last messages may take to arrive when the worker ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How to run a worker.
#[derive(Clone, Debug)]
pub struct Options {
    /// Unique among the connected workers. Default: made from the host's name and the data port.
    pub name: Option<String>,
    /// Name or address on which chunks are served. With an address that stands for all (`0.0.0.0`, `::`), others use the one
    /// from which the scheduler sees this process come. Default `127.0.0.1`.
    pub host: String,
    /// The port on which chunks are served. Default 0, any that is free.
    pub data_port: u16,
    /// Tasks at a time; 0, the default, for as many as the pool has threads.
    pub threads: usize,
    /// Bytes of memory that the process may take; 0, the default, for no limit.
    pub memory_limit: u64,
    /// Share of the limit up to which tasks are started without spilling.
    pub target: f64,
    /// Share of the limit above which chunks are spilled.
    pub spill: f64,
    /// Share of the limit above which nothing is started.
    pub pause: f64,
    /// Bytes on disk above which nothing more is spilled; 0, the default, for no limit.
    pub max_spill: u64,
    /// What it offers to tasks that ask for it, in thousandths.
    pub resources: BTreeMap<String, Milli>,
    /// Where to make the folder for spilled chunks. Default: the system's folder for temporary files.
    pub local_directory: Option<PathBuf>,
    /// How long to go on without a scheduler: until there is one, and after the connection broke. Default 60 s.
    pub death_timeout: Duration,
    /// When to ask the scheduler to let the worker go. Default: never.
    pub lifetime: Option<Duration>,
    /// The number of the nanny that watches this process.
    pub nanny: Option<u128>,
    /// Random, one for each start of a process; 0, the default, to have it made.
    pub incarnation: u128,
    /// A file that shows what this process does, also after its death. Default: none.
    pub recorder: Option<PathBuf>,
    /// Certificates of one's own instead of joining by token.
    pub tls: Option<TlsFiles>,
    /// Called with what clients share with all workers, a name and its bytes, in order with what the scheduler says; it must not block.
    pub heed: Option<fn(&str, &[u8])>,
    /// Called after chunks were spilled: asks the allocator to give memory back to the system.
    pub release_memory: Option<fn()>,
    /// Let the machine check all its facts after each event. For tests.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        let machine = Config::new(1, 0);
        Self {
            name: None,
            host: "127.0.0.1".into(),
            data_port: 0,
            threads: 0,
            memory_limit: 0,
            target: machine.target,
            spill: machine.spill,
            pause: machine.pause,
            max_spill: machine.max_spill,
            resources: BTreeMap::new(),
            local_directory: None,
            death_timeout: Duration::from_secs(60),
            lifetime: None,
            nanny: None,
            incarnation: 0,
            recorder: None,
            tls: None,
            heed: None,
            release_memory: None,
            check: false,
        }
    }
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Exit {
    /// It wanted to leave, and what only it had is elsewhere now; or it was closed.
    Left,
    /// Its lifetime is over, and what only it had is elsewhere now.
    LifetimeOver,
    /// A fault of our own made it useless. The scheduler was told nothing: to it this is a death.
    Broken(Failure),
    /// The scheduler told it to end.
    Closed {
        /// For people.
        reason: String,
        /// Whether another is to be started in its place.
        restart: bool,
    },
    /// There was no scheduler for too long, or it does not count on this worker any more.
    SchedulerLost(Failure),
}

/// A worker in this process. Dropping it ends it.
pub struct Worker {
    office: Arc<Office>,
    threads: Mutex<Option<Threads>>,
}

/// Where its network runs.
struct Threads {
    /// What the scheduler says and is told.
    control: OneThread,
    /// Chunks.
    bulk: Runtime,
}

/// How the worker ended, once it has.
#[derive(Default)]
struct Outcome {
    exit: Mutex<Option<Exit>>,
    bell: Condvar,
}

impl Outcome {
    /// The first reason stays.
    fn set(&self, exit: Exit) {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(exit);
        self.bell.notify_all();
    }

    fn wait(&self) -> Exit {
        let mut exit = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*exit {
                Some(exit) => return exit.clone(),
                None => exit = self.bell.wait(exit).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Worker {
    /// Joins the scheduler at `address` and serves in threads of its own. Blocks until it has joined.
    ///
    /// # Errors
    /// The scheduler cannot be reached within the death timeout, does not trust this process or refuses it; a folder or port
    /// cannot be used.
    pub fn start(
        address: &Address,
        options: Options,
        pool: Arc<dyn Pool>,
        registry: Registry,
        door: Option<Arc<dyn FrameDoor>>,
    ) -> Result<Worker, Failure> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        let bulk = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().thread_name("partita-net").build();
        let bulk = bulk.map_err(|e| Failure::new(Code::WorkerStart, format!("no threads for the network: {e}")))?;
        let control = OneThread::start("partita-control")?;
        let office = apart(|| bulk.block_on(join::join(control.handle(), address, options, pool, registry, door)))?;
        Ok(Worker { office, threads: Mutex::new(Some(Threads { control, bulk })) })
    }

    /// Blocks until the worker has ended, and says how. Then its ports are closed and its folder is gone.
    pub fn wait(&self) -> Exit {
        let exit = self.office.outcome.wait();
        match &exit {
            // A farewell would say that it left in peace, and nobody would ask which task broke it.
            Exit::Broken(_) => self.fall_silent(|threads| threads.shut_down()),
            _ => self.end(),
        }
        exit
    }

    /// Asks the scheduler to let the worker go: what only it has is moved first. `wait` tells when it is done.
    pub fn retire(&self) {
        self.office.ask_to_go(Exit::Left);
    }

    /// Ends it now, whatever it holds.
    pub fn close(&self) {
        self.office.link.send(encode_said(&WorkerToScheduler::Left));
        self.office.outcome.set(Exit::Left);
        self.end();
    }

    /// Cuts it off as if its process had died: nothing is said to anybody. For tests.
    pub fn vanish(&self) {
        self.office.outcome.set(Exit::SchedulerLost(Failure::new(Code::Disconnected, "the worker was cut off")));
        self.fall_silent(|threads| threads.bulk.shutdown_background());
    }

    /// Ends without a word to anybody.
    fn fall_silent(&self, end: impl FnOnce(Threads)) {
        self.office.host.close();
        if let Some(threads) = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take() {
            end(threads);
        }
    }

    /// Its number at the scheduler.
    pub fn id(&self) -> WorkerId {
        self.office.id
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.office.name
    }

    /// Where it serves chunks.
    pub fn data_address(&self) -> PeerAddress {
        let address = self.office.port.address();
        PeerAddress { host: address.ip().to_string(), port: address.port() }
    }

    /// The machine at this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.office.host.snapshot()
    }

    /// Bytes in memory and on disk.
    pub fn usage(&self) -> Usage {
        self.office.host.usage()
    }

    /// For how long it has served.
    pub fn uptime(&self) -> Duration {
        Instant::now().duration_since(self.office.started)
    }

    fn end(&self) {
        // Whoever comes first ends it; others return when that is done.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(threads) = threads.take() else { return };
        apart(|| {
            threads.bulk.block_on(async {
                self.office.port.close();
                self.office.link.close("the worker ends");
                // A scheduler that does not answer in time has other ways to learn of it.
                let _ = tokio::time::timeout(LAST_WORDS, self.office.link.drained()).await;
            });
            self.office.host.close();
        });
        threads.shut_down();
    }
}

impl Threads {
    fn shut_down(self) {
        apart(|| {
            self.control.end(LAST_WORDS);
            self.bulk.shutdown_timeout(LAST_WORDS);
        });
    }
}

/// Runs in a thread of its own: the caller's may belong to an asynchronous runtime, where nothing may block on another.
fn apart<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(act).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::{self, Server};
    use crate::security::ServerSecurity;
    use partita_graph::{Key, LayerId};
    use partita_local::{Outside, ThreadPool};

    #[test]
    fn a_worker_whose_machine_breaks_says_no_farewell_and_its_recorder_stays() {
        let server = Server::start(scheduler::Options { port: 0, ..scheduler::Options::new(ServerSecurity::plain(None)) });
        let server = server.expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recorder");
        let options = Options { recorder: Some(path.clone()), ..Options::default() };
        let pool = Arc::new(ThreadPool::new(1));
        let worker = Worker::start(&server.client_address(), options, pool, Registry::default(), None).expect("it joins");
        let key = Key::new(LayerId(7), 0);
        let voice = &worker.office.voice;
        voice.recorder.as_ref().expect("given").begin(0, key, 1, "guilty");
        voice.broken(Failure::internal("books that do not balance"));
        voice.ended(0);
        assert!(matches!(worker.wait(), Exit::Broken(failure) if failure.to_string().contains("do not balance")));
        let record = recorder::Record::read(&path).expect("it is there");
        assert_eq!(record.executing.iter().map(|task| task.key).collect::<Vec<_>>(), [key]);
        assert_eq!(server.info().workers.len(), 1, "the scheduler was not told that it left");
    }
}
