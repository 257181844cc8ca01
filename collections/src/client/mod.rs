//! The client: what runs frames, on the threads of this process or on a cluster. Without one, the first computation starts the
//! local engine on all cores.

mod allocator;
pub(crate) mod aside;
mod bytes;
#[cfg(feature = "cluster")]
mod cluster;
mod collection;
#[cfg(feature = "cluster")]
mod datasets;
mod interrupt;
#[cfg(feature = "cluster")]
mod local_cluster;
pub(crate) mod mailbox;
mod pool;
pub(crate) mod progress;
pub(crate) mod ready;
mod room;
pub(crate) mod run;
mod storage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub use bytes::IntoBytes;
use partita_core::coordination::{Answer, Ask, Name, RequestId, TopicAsk};
use partita_graph::{Annotations, Code, Executor, Failure, Graph, Layer, Milli, Registry, Run, RunEach};
use partita_local::{Desk, Listener, Listeners, Local, Options};

use crate::delayed::state::User;
use crate::delayed::submit::LOCAL;
use crate::frame::DFrame;
use crate::operators::registry;
#[cfg(feature = "cluster")]
pub use cluster::{ConnectOptions, Holding};
#[cfg(feature = "cluster")]
pub use collection::Published;
pub use collection::{Collection, Keyed};
#[cfg(feature = "cluster")]
pub use local_cluster::{LocalCluster, LocalClusterBuilder, run, start_worker};
pub(crate) use room::{planned_memory, planned_memory_per_thread};
pub use run::Computed;
pub use storage::set_storage_options;

/// Runs frames, on the threads of this process or on a cluster. Cloning gives another handle to the same engine.
///
/// The client that was built last and still lives is the *current* one, on which `compute` runs.
///
/// ```
/// use partita::prelude::*;
/// let client = Client::builder().threads(2).memory_limit("1GiB").build()?;
/// let frame = DFrame::from_polars(df!("x" => [1, 2])?, 2);
/// assert_eq!(client.compute(&frame)?, df!("x" => [1, 2])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// Wishes for every task that is submitted through this handle.
    annotations: Option<Arc<Annotations>>,
}

struct Inner {
    engine: Engine,
    /// States of the process live as long as some engine in it does; dropped after this one.
    _states: Option<User>,
}

/// Where tasks run.
enum Engine {
    /// On threads of this process.
    Local { local: Local, threads: usize, memory_limit: u64, desk: Desk },
    /// In other processes.
    #[cfg(feature = "cluster")]
    Cluster(cluster::Connection),
}

/// The last client built by the user, and the one that was started for want of it.
static CURRENT: Mutex<(Option<Weak<Inner>>, Option<Client>)> = Mutex::new((None, None));

impl Client {
    /// An engine on all cores of this machine, with its memory as the limit.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn local() -> Result<Client, Failure> {
        Self::builder().build()
    }

    /// An engine with settings of your own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The current client; starts one on all cores when there is none. Inside a task it is the client that runs the task, on a
    /// cluster one that is connected to the same scheduler.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn current() -> Result<Client, Failure> {
        if let Some(inner) = pool::client_here().as_ref().and_then(Weak::upgrade) {
            return Ok(Client::of(inner));
        }
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = current.0.as_ref().and_then(Weak::upgrade) {
            return Ok(Client::of(inner));
        }
        if let Some(client) = current.1.as_ref().filter(|client| !client.is_over()) {
            return Ok(client.clone());
        }
        #[cfg(feature = "cluster")]
        let client = match local_cluster::scheduler_of_this_worker() {
            Some(address) => Client::meet(address, ConnectOptions::default())?,
            None => ClientBuilder::default().start()?,
        };
        #[cfg(not(feature = "cluster"))]
        let client = ClientBuilder::default().start()?;
        current.1 = Some(client.clone());
        Ok(client)
    }

    /// Runs a frame and returns its rows with the remarks of the run, its time, and what was spilled meanwhile: on a cluster by all workers, for
    /// whomever. What other libraries call so, a function on every worker, is [`Client::run_on_workers`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let client = Client::builder().threads(2).memory_limit("1GiB").set_as_default(false).build()?;
    /// let computed = client.run(&DFrame::from_polars(df!("x" => [1, 2])?, 2).sum())?;
    /// assert_eq!((computed.frame, computed.spilled_bytes), (df!("x" => [3])?, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn run(&self, frame: &DFrame) -> Result<Computed, Failure> {
        let before = self.spilled_so_far();
        let computed = run::compute(self, frame)?;
        Ok(Computed { spilled_bytes: self.spilled_so_far().saturating_sub(before), ..computed })
    }

    /// The current client if there is one: none is started.
    fn known() -> Option<Client> {
        if let Some(inner) = pool::client_here().as_ref().and_then(Weak::upgrade) {
            return Some(Client::of(inner));
        }
        let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        current.0.as_ref().and_then(Weak::upgrade).map(Client::of).or_else(|| current.1.clone())
    }

    /// Whether its scheduler is gone for good. A worker may have come back to a scheduler that has given up the client inside of it.
    fn is_over(&self) -> bool {
        match &self.inner.engine {
            Engine::Local { .. } => false,
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.is_over(),
        }
    }

    fn of(inner: Arc<Inner>) -> Self {
        Self { inner, annotations: None }
    }

    /// A handle to the same engine that adds these wishes (priority, retries, workers, resources, time limit) to every task
    /// submitted through it.
    ///
    /// ```
    /// use partita::{graph::Annotations, prelude::*};
    /// let client = Client::builder().threads(1).set_as_default(false).build()?;
    /// let patient = client.annotated(Annotations { retries: 2, ..Annotations::default() });
    /// let frame = DFrame::from_polars(df!("x" => [1, 2])?, 2);
    /// assert_eq!(patient.compute(&frame)?, df!("x" => [1, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "annotate")]
    pub fn annotated(&self, annotations: Annotations) -> Client {
        Self { inner: self.inner.clone(), annotations: (!annotations.is_empty()).then(|| Arc::new(annotations)) }
    }

    /// Makes this the current client, on which `compute` runs.
    pub fn set_as_current(&self) {
        CURRENT.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Arc::downgrade(&self.inner));
    }

    /// Cancels everything that runs here. What waits for it gets [`Code::Cancelled`].
    pub fn cancel_all(&self) {
        match &self.inner.engine {
            Engine::Local { local, .. } => local.cancel_all(),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.cancel_all(),
        }
    }

    /// Bytes written to disk for want of memory since this engine started; on a cluster, by all workers since its scheduler started, those
    /// counted that are gone. What lies on the workers' disks now is in [`Client::scheduler_info`].
    pub fn spilled_bytes(&self) -> u64 {
        self.spilled_so_far()
    }

    /// The limit of memory in bytes, on a cluster that of all workers together.
    pub fn memory_limit(&self) -> u64 {
        match &self.inner.engine {
            Engine::Local { memory_limit, .. } => *memory_limit,
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.sum(|worker| worker.about.memory_limit),
        }
    }
}

/// Hears the answer to a question of coordination.
pub(crate) type Told = Box<dyn FnOnce(Result<Answer, Failure>) + Send>;

/// Whoever holds locks, queues and so on: the engine of this process, or the scheduler.
impl Client {
    /// Asks; the answer comes on any thread. The number is for [`Client::desk_withdraw`].
    pub(crate) fn desk_ask(&self, what: Ask, told: Told) -> u64 {
        match &self.inner.engine {
            Engine::Local { desk, .. } => desk.ask(what, told).0,
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.coordinate(what, told),
        }
    }

    /// The answer to this question is not waited for any more: what was given for it meanwhile is taken back.
    pub(crate) fn desk_withdraw(&self, number: u64) {
        match &self.inner.engine {
            Engine::Local { desk, .. } => desk.withdraw(RequestId(number)),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.withdraw(number),
        }
    }

    fn listeners(&self) -> &Listeners {
        match &self.inner.engine {
            Engine::Local { desk, .. } => desk.listeners(),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.listeners(),
        }
    }

    /// Listens to a topic, and asks for its messages. The number of the listener, for [`Client::desk_ignore`], and that of the question.
    pub(crate) fn desk_listen(&self, topic: &Name, listener: Listener, told: Told) -> (u64, u64) {
        let listeners = self.listeners();
        let _turn = listeners.turn();
        let number = listeners.listen(topic, listener);
        (number, self.desk_ask(Ask::Topic(topic.clone(), TopicAsk::Subscribe), told))
    }

    /// Listens no more. Messages of a topic that nobody listens to are not sent here any longer.
    pub(crate) fn desk_ignore(&self, topic: &Name, number: u64) {
        let listeners = self.listeners();
        let _turn = listeners.turn();
        if listeners.ignore(topic, number) {
            self.desk_ask(Ask::Topic(topic.clone(), TopicAsk::Unsubscribe), Box::new(drop));
        }
    }

    /// The workers, by name, and a number that no other process has had; in process there is one.
    pub(crate) fn workers_now(&self) -> Result<Vec<(String, u32)>, Failure> {
        match &self.inner.engine {
            Engine::Local { .. } => Ok(vec![(LOCAL.into(), 0)]),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => {
                let workers = connection.remote.info()?.workers.into_iter();
                Ok(workers.map(|worker| (worker.about.name, worker.id.0)).collect())
            }
        }
    }

    /// Lets go of what failed with this, so that it is tried again when it is submitted next. Futures keep their failures.
    pub(crate) fn forget_failure(&self, failure: &Failure) {
        match &self.inner.engine {
            Engine::Local { local, .. } => local.forget_failure(failure),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.forget_failure(failure),
        }
    }

    /// Begins to copy a run's results to every worker that is there now.
    pub(crate) fn copy_to_all(&self, run: &RunEach) -> Result<(), Failure> {
        let _ = run;
        match &self.inner.engine {
            Engine::Local { .. } => Ok(()),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.replicate_each(run, self.workers_now()?.len() as u32),
        }
    }

    /// Tells engines apart, for as long as one of its clients lives.
    pub(crate) fn home(&self) -> usize {
        Arc::as_ptr(&self.inner) as usize
    }

    /// Whether tasks run in this process.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.inner.engine, Engine::Local { .. })
    }
}

impl Client {
    /// The graph with this client's wishes, where its layers have none of their own.
    fn with_wishes(&self, mut graph: Graph) -> Graph {
        if let Some(wishes) = &self.annotations {
            for layer in &mut graph.layers {
                if layer.annotations.is_none() {
                    *layer = Arc::new(Layer { annotations: Some(wishes.clone()), ..(**layer).clone() });
                }
            }
        }
        graph
    }
}

impl Executor for Client {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        let graph = self.with_wishes(graph);
        match &self.inner.engine {
            Engine::Local { local, .. } => local.submit(graph),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.informed()?.submit(graph),
        }
    }

    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
        let graph = self.with_wishes(graph);
        match &self.inner.engine {
            Engine::Local { local, .. } => local.submit_each(graph),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.informed()?.submit_each(graph),
        }
    }

    fn threads(&self) -> usize {
        match &self.inner.engine {
            Engine::Local { threads, .. } => *threads,
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.threads().max(1),
        }
    }

    fn memory_per_thread(&self) -> Option<u64> {
        match &self.inner.engine {
            Engine::Local { local, .. } => local.memory_per_thread(),
            #[cfg(feature = "cluster")]
            Engine::Cluster(connection) => connection.remote.memory_per_thread(),
        }
    }
}

/// Cores that a plan is made for: those of the current client, or of this machine when there is none yet.
pub(crate) fn planned_threads() -> usize {
    match Client::known() {
        Some(client) => client.threads(),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Fails when the current client is a cluster some of whose workers do not have these files.
pub(crate) fn found_on_workers(files: &[&str]) -> Result<(), Failure> {
    #[cfg(feature = "cluster")]
    {
        let known = Client::known();
        if let Some(Engine::Cluster(connection)) = known.as_ref().map(|client| &client.inner.engine) {
            // A cluster that ends at this moment has no workers to ask; whoever computes there is told so.
            return connection.check_files(files).or_else(|failure| if failure.code == Code::Disconnected { Ok(()) } else { Err(failure) });
        }
    }
    let _ = files;
    Ok(())
}

/// Settings of a local engine.
#[derive(Clone, Default)]
pub struct ClientBuilder {
    threads: Option<usize>,
    memory_limit: Option<Result<u64, String>>,
    local_directory: Option<PathBuf>,
    check: bool,
    apart: bool,
    resources: BTreeMap<String, Milli>,
}

impl ClientBuilder {
    /// Tasks that run at a time. Default: all cores.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Memory for partitions, as `"4GiB"`, `"500MB"` or a number of bytes. Beyond 60 % of it partitions go to disk.
    /// Default: the memory of this machine or container.
    pub fn memory_limit(mut self, limit: impl IntoBytes) -> Self {
        self.memory_limit = Some(limit.into_bytes());
        self
    }

    /// The folder in which spilled partitions are kept. Default: the system's folder for temporary files.
    pub fn local_directory(mut self, folder: impl AsRef<Path>) -> Self {
        self.local_directory = Some(folder.as_ref().to_path_buf());
        self
    }

    /// What there is for calls that ask for it with [`crate::Delayed::resources`], by name: calls that ask for more than is left wait. Default:
    /// nothing.
    ///
    /// ```
    /// use partita::{Client, delayed, task};
    ///
    /// #[task]
    /// fn train(step: u32) -> u32 {
    ///     step + 1
    /// }
    ///
    /// let client = Client::builder().threads(2).resources([("GPU", 1.0)]).build()?;
    /// assert_eq!(delayed(train)(1).resources([("GPU", 1.0)]).compute_on(&client)?, 2);
    /// # Ok::<(), partita::Error>(())
    /// ```
    pub fn resources<S: Into<String>>(mut self, resources: impl IntoIterator<Item = (S, f64)>) -> Self {
        self.resources = crate::delayed::in_thousandths(resources);
        self
    }

    /// Whether the new client becomes the current one. Default: yes.
    pub fn set_as_default(mut self, set: bool) -> Self {
        self.apart = !set;
        self
    }

    /// Whether the scheduler re-derives all its facts after every event: slow, for tests.
    pub fn check_invariants(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// Starts the engine and makes it the current client, unless told otherwise.
    ///
    /// # Errors
    /// A limit that is no size, a folder that cannot be written.
    pub fn build(self) -> Result<Client, Failure> {
        let apart = self.apart;
        let client = self.start()?;
        if apart {
            return Ok(client);
        }
        client.set_as_current();
        Ok(client)
    }

    fn start(self) -> Result<Client, Failure> {
        let memory_limit = match self.memory_limit {
            None => partita_local::memory_of_machine(),
            Some(Ok(bytes)) => {
                allocator::give_back_large_blocks();
                bytes
            }
            Some(Err(text)) => return Err(no_size("memory_limit", &text)),
        };
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let options = Options {
            threads,
            memory_limit,
            local_directory: self.local_directory,
            check: self.check,
            release_memory: Some(allocator::give_back_small_blocks),
            resources: self.resources,
            ..Options::default()
        };
        let pool = Arc::new(pool::PolarsPool::new(threads));
        let local = Local::new(options, pool.clone(), registry())?;
        let client = Client::of(Arc::new(Inner {
            engine: Engine::Local { local, threads, memory_limit, desk: Desk::default() },
            _states: Some(User::new()),
        }));
        pool.serve(Arc::downgrade(&client.inner));
        Ok(client)
    }
}

fn no_size(option: &str, text: &str) -> Failure {
    let what = format!("{option}: {text:?} is no size");
    Failure::new(Code::InvalidOption, what).help(format!("write .{option}(\"4GiB\"), \"500MB\" or a number of bytes"))
}

/// A registry for executors that are no clients, for example [`partita_graph::Serial`] in a test.
pub fn operator_registry() -> Registry {
    registry()
}
