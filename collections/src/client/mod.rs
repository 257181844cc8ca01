//! The client: what runs frames. Without one, the first computation starts the local engine on all cores.

mod allocator;
mod interrupt;
mod pool;
mod progress;
pub(crate) mod run;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use partita_graph::{Code, Executor, Failure, Graph, Registry, Run};
use partita_local::{Local, Options};
use polars::prelude::DataFrame;

use crate::frame::DFrame;
use crate::operators::registry;
pub use run::Computed;

/// Runs frames on the threads of this process. Cloning gives another handle to the same engine.
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
}

struct Inner {
    local: Local,
    threads: usize,
    memory_limit: u64,
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

    /// The current client; starts one on all cores when there is none.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn current() -> Result<Client, Failure> {
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = current.0.as_ref().and_then(Weak::upgrade) {
            return Ok(Client { inner });
        }
        if let Some(client) = &current.1 {
            return Ok(client.clone());
        }
        let client = ClientBuilder::default().start()?;
        current.1 = Some(client.clone());
        Ok(client)
    }

    /// Runs a frame here and returns its rows.
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn compute(&self, frame: &DFrame) -> Result<DataFrame, Failure> {
        Ok(self.run(frame)?.frame)
    }

    /// The same with the remarks of the run and its time.
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn run(&self, frame: &DFrame) -> Result<Computed, Failure> {
        run::compute(self, frame)
    }

    /// Cancels everything that runs here. What waits for it gets [`Code::Cancelled`].
    pub fn cancel_all(&self) {
        self.inner.local.cancel_all();
    }

    /// Bytes written to disk for want of memory since this engine started.
    pub fn spilled_bytes(&self) -> u64 {
        self.inner.local.spilled_bytes_total()
    }

    /// The limit of memory, in bytes.
    pub fn memory_limit(&self) -> u64 {
        self.inner.memory_limit
    }
}

impl Executor for Client {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        self.inner.local.submit(graph)
    }

    fn threads(&self) -> usize {
        self.inner.threads
    }
}

/// Settings of a local engine.
#[derive(Clone, Default)]
pub struct ClientBuilder {
    threads: Option<usize>,
    memory_limit: Option<Result<u64, String>>,
    local_directory: Option<PathBuf>,
    check: bool,
    apart: bool,
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
        CURRENT.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Arc::downgrade(&client.inner));
        Ok(client)
    }

    fn start(self) -> Result<Client, Failure> {
        let memory_limit = match self.memory_limit {
            None => memory_of_machine(),
            Some(Ok(bytes)) => {
                allocator::give_back_large_blocks();
                bytes
            }
            Some(Err(text)) => {
                let what = format!("memory_limit: {text:?} is no size");
                return Err(Failure::new(Code::InvalidOption, what).help("write .memory_limit(\"4GiB\"), \"500MB\" or a number of bytes"));
            }
        };
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let options = Options { threads, memory_limit, local_directory: self.local_directory, check: self.check, ..Options::default() };
        let local = Local::new(options, Arc::new(pool::PolarsPool::new(threads)), registry())?;
        Ok(Client { inner: Arc::new(Inner { local, threads, memory_limit }) })
    }
}

/// A number of bytes: a number, or text such as `"64MB"` or `"1GiB"`.
pub trait IntoBytes {
    /// The number, or the text that is none.
    fn into_bytes(self) -> Result<u64, String>;
}

impl IntoBytes for u64 {
    fn into_bytes(self) -> Result<u64, String> {
        Ok(self)
    }
}

impl IntoBytes for &str {
    fn into_bytes(self) -> Result<u64, String> {
        self.parse::<bytesize::ByteSize>().map(|size| size.as_u64()).map_err(|_| self.to_string())
    }
}

impl IntoBytes for String {
    fn into_bytes(self) -> Result<u64, String> {
        self.as_str().into_bytes()
    }
}

/// The memory of this machine, or of the container when that is less, in bytes.
pub(crate) fn memory_of_machine() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = system.total_memory();
    system.cgroup_limits().map_or(machine, |limits| limits.total_memory.min(machine))
}

/// A registry for executors that are no clients, for example [`partita_graph::Serial`] in a test.
pub fn operator_registry() -> Registry {
    registry()
}
