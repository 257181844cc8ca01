//! Clients of a cluster: how to reach one, how to start one on this host, and what may be asked of it.
//!
//! It refuses to know sockets; `partita-net` does. Invariant: a client of a cluster runs the same graphs as a local one, so
//! nothing above this file asks which it is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partita_graph::{Code, Failure, Key, LayerId};
use partita_net::client::{self, Remote};
use partita_net::message::{ClusterInfo, WorkerInfo};

use super::collection::{Collection, Keyed};
use super::{Client, Engine, Inner, storage};
use crate::operators::registry;

/// A worker's name, and the keys that it holds with their bytes.
pub type Holding = (String, Vec<(Key, u64)>);

/// A client's end of a cluster.
pub(super) struct Connection {
    pub remote: Arc<Remote>,
    /// What its workers know of stores.
    stores: Mutex<storage::Told>,
}

impl Connection {
    /// The cluster, whose workers know how stores are reached.
    pub fn informed(&self) -> Result<&Remote, Failure> {
        storage::tell_workers(&self.remote, &self.stores)?;
        Ok(&self.remote)
    }

    /// The sum of something over all workers; 0 when the scheduler does not answer.
    pub fn sum(&self, of: impl Fn(&WorkerInfo) -> u64) -> u64 {
        self.remote.info().map_or(0, |info| info.workers.iter().map(of).sum())
    }

    /// Tasks read files themselves, so a local path must exist on every worker too.
    pub fn check_files(&self, files: &[&str]) -> Result<(), Failure> {
        let local: Vec<String> = files.iter().filter_map(|file| on_disk(file)).collect();
        if local.is_empty() {
            return Ok(());
        }
        let (missing, asked) = self.remote.check_paths(local)?;
        let Some((path, workers)) = missing.into_iter().next() else { return Ok(()) };
        let what = format!("{path} was found here, but is missing on {} of {asked} workers", workers.len());
        Err(Failure::new(Code::MissingOnWorkers, what)
            .detail("workers", workers.join(", "))
            .help("put the file on storage that every worker sees (s3://, a shared folder), or start the workers on this host"))
    }
}

/// The whole path of a file that workers must find on their own disks; `None` for objects in stores.
fn on_disk(path: &str) -> Option<String> {
    if path.starts_with("file://") {
        return Some(path.to_owned());
    }
    if path.contains("://") {
        return None;
    }
    Some(std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned()))
}

/// How a client meets its cluster.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// What the cluster calls this client. Default: the program's name.
    pub name: Option<String>,
    /// How long to try before giving up. Default 30 s.
    pub timeout: Option<Duration>,
    /// The authority's certificate, an own certificate and its key, as PEM files; for clusters that do not use join tokens.
    pub tls_files: Option<(PathBuf, PathBuf, PathBuf)>,
}

impl Client {
    /// A client of the cluster whose scheduler listens at `address`, which becomes the current client.
    ///
    /// The address is `"host:8786"`, or the join link that `partita scheduler` prints (`"tls://host:8786?join=…"`). On the host of
    /// the scheduler `"127.0.0.1:8786"` is enough.
    ///
    /// ```no_run
    /// use partita::prelude::*;
    /// let client = Client::connect("127.0.0.1:8786")?;
    /// client.wait_for_workers(2, std::time::Duration::from_secs(30))?;
    /// let means = DFrame::read_csv("data/*.csv")?.groupby(["k"]).mean().compute()?;
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// Nothing answers (E0211), something else answers (E0212), the versions differ (E0213), a token or certificate is refused
    /// (E0214).
    pub fn connect(address: &str) -> Result<Client, Failure> {
        Self::connect_with(address, ConnectOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_with(address: &str, options: ConnectOptions) -> Result<Client, Failure> {
        let client = Self::meet(address, options)?;
        client.set_as_current();
        Ok(client)
    }

    /// Connects without becoming the current client.
    pub(super) fn meet(address: &str, options: ConnectOptions) -> Result<Client, Failure> {
        let mut chosen = client::Options::default();
        if let Some(name) = options.name {
            chosen.name = name;
        }
        if let Some(timeout) = options.timeout {
            chosen.timeout = timeout;
        }
        chosen.tls_files = options.tls_files.map(|(ca, cert, key)| partita_net::security::TlsFiles { ca, cert, key });
        let remote = Remote::connect(address, chosen, registry())?;
        Ok(Client::of(Arc::new(Inner { engine: Engine::Cluster(Connection { remote, stores: Mutex::default() }), _states: None })))
    }

    /// A client of the cluster that a scheduler file describes: the file that `partita scheduler --scheduler-file` wrote.
    ///
    /// # Errors
    /// As [`Client::connect`]; a file that cannot be read.
    pub fn scheduler_file(path: impl AsRef<Path>) -> Result<Client, Failure> {
        Self::connect(&partita_net::scheduler::read_file(path.as_ref())?)
    }

    pub(crate) fn remote(&self) -> Result<&Remote, Failure> {
        match &self.inner.engine {
            Engine::Cluster(connection) => Ok(&connection.remote),
            Engine::Local { .. } => {
                Err(Failure::new(Code::Unsupported, "this client runs tasks in its own process, so there is no cluster to ask")
                    .help("connect to one with Client::connect(\"host:8786\"), or start one with LocalCluster::start"))
            }
        }
    }

    /// Workers, clients, versions and memory of the cluster at this moment.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn scheduler_info(&self) -> Result<ClusterInfo, Failure> {
        self.remote()?.info()
    }

    /// Waits until at least `count` workers are connected.
    ///
    /// # Errors
    /// Not so many came in time: [`Code::NoWorkers`] says how many there are.
    pub fn wait_for_workers(&self, count: usize, timeout: Duration) -> Result<(), Failure> {
        self.remote()?.wait_for_workers(count, timeout)
    }

    /// For each chunk the names of the workers that hold it: of a frame, an array, a delayed value, a future, or of keys. Nobody holds what was
    /// never computed or not kept.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn who_has(&self, of: &(impl Keyed + ?Sized)) -> Result<Vec<(Key, Vec<String>)>, Failure> {
        self.remote()?.who_has(&of.keys_on(self)?)
    }

    /// What each worker holds, or the one of this name: keys and bytes.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone; no worker has this name.
    pub fn has_what(&self, worker: Option<&str>) -> Result<Vec<Holding>, Failure> {
        self.remote()?.has_what(worker)
    }

    /// Bytes that are kept on the cluster, by layer.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn nbytes(&self) -> Result<Vec<(LayerId, String, u64)>, Failure> {
        self.remote()?.nbytes()
    }

    /// What happened to a task lately, a line for each happening. Of something with several chunks each line begins with its key.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn story(&self, of: impl Keyed) -> Result<Vec<String>, Failure> {
        let (remote, keys) = (self.remote()?, of.keys_on(self)?);
        if let [key] = keys[..] {
            return remote.story(key);
        }
        let mut lines = Vec::new();
        for key in keys {
            lines.extend(remote.story(key)?.into_iter().map(|line| format!("{key} {line}")));
        }
        Ok(lines)
    }

    /// Why a task is not running, and for one that could run what keeps each worker from it; a line for each chunk.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn explain_wait(&self, of: impl Keyed) -> Result<Vec<String>, Failure> {
        let remote = self.remote()?;
        let mut lines = Vec::new();
        for key in of.keys_on(self)? {
            lines.extend(remote.explain_wait(key)?);
        }
        Ok(lines)
    }

    /// Lets workers go, by name: what only they hold is moved to others first, and what they run may end. Returns those that went. They may
    /// take ten minutes; [`Client::retire_workers_within`] takes another time.
    ///
    /// # Errors
    /// No worker has such a name; what they hold fits nowhere else; they take too long. Workers that do not go serve again.
    pub fn retire_workers(&self, names: &[&str]) -> Result<Vec<String>, Failure> {
        self.remote()?.retire_workers(names)
    }

    /// The same with a time of one's own. A worker that takes longer stays and serves again.
    ///
    /// # Errors
    /// As [`Client::retire_workers`]; the message says what each worker that stays still runs and holds.
    pub fn retire_workers_within(&self, names: &[&str], timeout: Duration) -> Result<Vec<String>, Failure> {
        self.remote()?.retire_workers_within(names, timeout)
    }

    /// Ends all runs of all clients, forgets all results, and starts workers that have a nanny again.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn restart(&self) -> Result<(), Failure> {
        self.remote()?.restart()
    }

    /// Moves chunks from full workers to empty ones.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn rebalance(&self) -> Result<(), Failure> {
        self.remote()?.rebalance()
    }

    /// Keeps at least so many copies of the chunks of something persisted, on different workers.
    ///
    /// # Errors
    /// It is not persisted on this cluster.
    pub fn replicate<C: Collection>(&self, what: &C, copies: u32) -> Result<(), Failure> {
        self.remote()?.replicate(what.kept().ok_or_else(not_persisted)?, copies)
    }

    /// Runs what failed once more. A failure is a result as others are, and is handed out again while somebody holds the run that failed; on a
    /// cluster this forgets it first.
    ///
    /// # Errors
    /// As [`crate::DFrame::compute`].
    pub fn retry<C: Collection>(&self, what: &C) -> Result<C::Output, Failure> {
        if let Engine::Cluster(connection) = &self.inner.engine {
            connection.remote.forget_failures(&what.keys_on(self)?);
        }
        self.compute(what)
    }

    /// Cancels this client's runs that compute these: a frame, an array, a delayed value, a future, or keys. What other clients want goes on.
    ///
    /// # Errors
    /// The client is no cluster's.
    pub fn cancel(&self, what: &(impl Keyed + ?Sized)) -> Result<(), Failure> {
        self.remote()?.cancel_keys(&what.keys_on(self)?);
        Ok(())
    }

    /// Ends the cluster: workers, nannies and scheduler.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn shutdown(&self) -> Result<(), Failure> {
        self.remote()?.shutdown()
    }
}

pub(super) fn not_persisted() -> Failure {
    Failure::new(Code::InvalidOption, "it is not persisted, so there are no chunks of it on the cluster")
        .help("let kept = client.persist(&collection)?;")
}
