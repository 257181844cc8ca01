//! A cluster on this host, and what a program does that was started as one of its workers.
//!
//! It refuses to know nannies and links; `partita-deploy` and `partita-net` do. Invariant: worker processes have the operators,
//! the values and the thread pool of the program that this library is linked into, whoever starts them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use partita_deploy::{LocalOptions, WorkerSpec, serve};
use partita_graph::{Buffer, Code, Encoded, Failure, Milli};
use partita_net::flight::FrameDoor;
use partita_net::worker::Worker;

use super::pool::PolarsPool;
use super::{Client, ConnectOptions, IntoBytes, allocator, no_size, storage};
use crate::delayed::state;
use crate::frame::value::arrow_messages;
use crate::operators::registry;

/// Whether this program serves when it is started as a worker.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Where the scheduler is whose worker this process is.
static SCHEDULER: OnceLock<String> = OnceLock::new();

/// Where the scheduler is, in a worker's process: its tasks may submit tasks.
pub(super) fn scheduler_of_this_worker() -> Option<&'static str> {
    SCHEDULER.get().map(String::as_str)
}

/// Lets a program's own processes be workers. It must be the first thing in `main`: in a process that was started as a worker it
/// serves and never returns; otherwise it returns at once.
///
/// ```no_run
/// use partita::prelude::*;
///
/// fn main() -> Result<(), partita::Error> {
///     partita::run();
///     let cluster = partita::LocalCluster::builder().workers(2).start()?;
///     let _client = cluster.client()?;
///     println!("{}", DFrame::read_csv("data/*.csv")?.groupby(["k"]).mean().compute()?);
///     Ok(())
/// }
/// ```
pub fn run() {
    SERVES.store(true, Ordering::Relaxed);
    match WorkerSpec::from_environment() {
        None => {}
        Some(Ok(spec)) => {
            let code = serve(&spec, start_worker);
            state::take_down();
            std::process::exit(code)
        }
        Some(Err(failure)) => {
            eprintln!("{failure}");
            std::process::exit(2);
        }
    }
}

/// Starts a worker in this process, with all operators, values and the thread pool of this program. The program `partita` does
/// this for `partita worker`.
///
/// # Errors
/// The scheduler cannot be reached, does not trust this process or refuses it; a folder or port cannot be used.
pub fn start_worker(spec: &WorkerSpec) -> Result<Worker, Failure> {
    if spec.memory_limit > 0 {
        allocator::give_back_large_blocks();
    }
    // What tasks keep is the worker's: a client that one of them makes and drops does not take it down.
    std::mem::forget(state::User::new());
    // A process is a worker of one cluster at a time; what was first stays.
    SCHEDULER.get_or_init(|| spec.address.clone());
    if let Some(folder) = &spec.folder {
        crate::delayed::upload::keep_in(folder);
    }
    storage::begin_with(&spec.storage)?;
    let address = spec.address.parse()?;
    let pool = Arc::new(PolarsPool::new(spec.threads.max(1)));
    let options = partita_net::worker::Options { heed: Some(heed), ..spec.worker_options() };
    Worker::start(&address, options, pool, registry(), Some(Arc::new(Door)))
}

/// What clients share with all workers, by how its name begins.
fn heed(name: &str, body: &[u8]) {
    storage::heed(name, body);
    crate::delayed::upload::heed(name, body);
}

/// Partitions as Arrow Flight sends them.
struct Door;

impl FrameDoor for Door {
    fn messages(&self, kind: &str, encoded: &Encoded) -> Result<Option<Vec<(Vec<u8>, Vec<Buffer>)>>, Failure> {
        arrow_messages(kind, encoded)
    }
}

/// A scheduler and worker processes on this host. Dropping it ends them and removes their folders.
///
/// Worker processes are this program once more, so `main` begins with [`run`].
pub struct LocalCluster {
    inner: partita_deploy::LocalCluster,
}

impl LocalCluster {
    /// As many worker processes as there are cores, up to four of one thread, more cores shared by fewer processes.
    ///
    /// # Errors
    /// As [`LocalClusterBuilder::start`].
    pub fn start() -> Result<LocalCluster, Failure> {
        Self::builder().start()
    }

    /// A cluster with settings of your own.
    pub fn builder() -> LocalClusterBuilder {
        LocalClusterBuilder::default()
    }

    /// A client of it, which becomes the current one.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn client(&self) -> Result<Client, Failure> {
        Client::connect(&self.address())
    }

    /// The same without becoming the current one.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect(&self) -> Result<Client, Failure> {
        Client::meet(&self.address(), ConnectOptions::default())
    }

    /// Where other programs of this user connect, with the right to do so.
    pub fn address(&self) -> String {
        self.inner.address()
    }

    /// Wants so many workers from now on; of those that are too many, the last ones leave after their data was moved. One that holds the state of
    /// an actor stays, and says so, unless none is wanted any more.
    pub fn scale(&self, workers: usize) {
        self.inner.scale(workers);
    }

    /// The processes of the workers, in the order in which they were started; 0 for one that is about to start.
    pub fn worker_pids(&self) -> Vec<u32> {
        self.inner.pids().into_iter().map(|pid| pid.unwrap_or(0)).collect()
    }

    /// Ends it now.
    pub fn close(self) {}
}

/// Settings of a [`LocalCluster`].
#[derive(Clone, Default)]
pub struct LocalClusterBuilder {
    workers: Option<usize>,
    threads: Option<usize>,
    memory_limit: Option<Result<u64, String>>,
    max_spill: Option<Result<u64, String>>,
    local_directory: Option<PathBuf>,
    tls: bool,
    program: Option<PathBuf>,
    client_grace: Option<Duration>,
    resources: BTreeMap<String, Milli>,
}

impl LocalClusterBuilder {
    /// Worker processes. Default: one for each core up to four, beyond that about the square root of the cores.
    #[doc(alias = "n_workers")]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Tasks that each worker runs at a time. Default: its share of the cores.
    pub fn threads_per_worker(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Memory of each worker, as `"4GiB"` or a number of bytes. Default: its share of this machine's.
    pub fn memory_limit(mut self, limit: impl IntoBytes) -> Self {
        self.memory_limit = Some(limit.into_bytes());
        self
    }

    /// The most that each worker keeps on disk of what it spills, as `"50GiB"` or a number of bytes. What is more stays in memory, and
    /// fewer tasks run at a time. Default: no limit.
    ///
    /// ```no_run
    /// let cluster = partita::LocalCluster::builder().memory_limit("4GiB").max_spill("50GiB").start()?;
    /// # Ok::<(), partita::Error>(())
    /// ```
    pub fn max_spill(mut self, most: impl IntoBytes) -> Self {
        self.max_spill = Some(most.into_bytes());
        self
    }

    /// Where spilled partitions are kept. Default: the system's folder for temporary files.
    pub fn local_directory(mut self, folder: impl AsRef<Path>) -> Self {
        self.local_directory = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Whether connections are encrypted. Default: no; a secret keeps other users of this host out.
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// How long a client may be away, or dead, before what it wanted, locked and leased is free again. Tasks that use locks and queues are
    /// clients too, those of one worker together. Default 30 s.
    pub fn client_grace(mut self, grace: Duration) -> Self {
        self.client_grace = Some(grace);
        self
    }

    /// What each worker has for calls that ask for it with [`crate::Delayed::resources`], by name. Default: nothing.
    pub fn resources<S: Into<String>>(mut self, resources: impl IntoIterator<Item = (S, f64)>) -> Self {
        self.resources = crate::delayed::in_thousandths(resources);
        self
    }

    /// The program to start as workers, which must call [`run`]. Default: this one.
    pub fn program(mut self, program: impl AsRef<Path>) -> Self {
        self.program = Some(program.as_ref().to_path_buf());
        self
    }

    /// Starts scheduler and workers, and waits until all workers have joined.
    ///
    /// # Errors
    /// A worker that cannot start ([`Code::WorkerStart`] with its last words); [`Code::InvalidOption`] for a size that is none, and
    /// when this program has not called [`run`] and no other was named.
    pub fn start(self) -> Result<LocalCluster, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory_limit = self.memory_limit.transpose().map_err(|text| no_size("memory_limit", &text))?;
        let max_spill = self.max_spill.transpose().map_err(|text| no_size("max_spill", &text))?;
        let mut options = LocalOptions {
            workers: self.workers.unwrap_or_else(|| processes_for(cores)),
            threads_per_worker: self.threads,
            memory_limit,
            local_directory: self.local_directory,
            tls: self.tls,
            ..LocalOptions::default()
        };
        if let Some(grace) = self.client_grace {
            options.scheduler.client_grace = grace;
        }
        options.worker.resources = self.resources;
        options.worker.max_spill = max_spill.unwrap_or(0);
        match self.program {
            Some(program) => options.worker_command = Arc::new(move || Command::new(&program)),
            None if !SERVES.load(Ordering::Relaxed) => {
                return Err(Failure::new(Code::InvalidOption, "worker processes are this program once more, and it does not serve as one")
                    .help("let `main` begin with `partita::run();`, or name a program that does: .program(\"partita\")"));
            }
            None => {}
        }
        Ok(LocalCluster { inner: partita_deploy::LocalCluster::start(options)? })
    }
}

/// Few processes with several threads each share memory; many fail apart from each other.
fn processes_for(cores: usize) -> usize {
    if cores <= 4 {
        return cores;
    }
    (1..=cores).find(|n| cores.is_multiple_of(*n) && n * n >= cores).unwrap_or(cores)
}
