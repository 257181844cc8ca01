//! A scheduler's process from the outside: start it, look at it, end it.
//!
//! It refuses to know what happens inside. Invariants: when `start` returns, the port is open and the files are written; when
//! the scheduler has ended, by whatever way, the port is closed, the files are gone and every peer was told.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use partita_graph::Failure;
use tokio::runtime::Runtime;

use super::diary::Diary;
use super::door::Door;
use super::files::{Signpost, state_file};
use super::inbox::{Inbox, Incoming};
use super::owner::{Fixed, Owner};
use super::roster::Roster;
use super::{ClusterView, Options};
use crate::address::{Address, is_loopback};
use crate::link::{Limits, Listener};
use crate::message::{Answer, ClusterInfo, SchedulerToClient, SchedulerToNanny, SchedulerToWorker};
use crate::wire;

/// How long peers may take to hear that the scheduler ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many wake-ups of links are served before the sockets are asked again: more than tokio's own number, because the owner's
/// round should come after all that is there and not in the middle of it.
const SERVED_AT_A_TIME: u32 = 256;

/// What the handle and the scheduler's thread share.
struct Outside {
    inbox: Arc<Inbox>,
    address: SocketAddr,
    client_address: Address,
    ended: Mutex<Option<Result<String, Failure>>>,
    bell: Condvar,
}

/// A running scheduler. Dropping it ends it.
pub struct Server {
    outside: Arc<Outside>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What lives and dies with the scheduler's thread, beside the owner.
struct Premises {
    runtime: Runtime,
    listener: Listener,
    door: Arc<Door>,
    signposts: Vec<Signpost>,
}

impl Server {
    /// Listens, and serves until it is told to end. Blocks until the port is open; may be called anywhere.
    ///
    /// # Errors
    /// The port is taken (E0216); plain connections off loopback (E0222); a file cannot be written (E0104).
    pub fn start(options: Options) -> Result<Server, Failure> {
        let (started, outcome) = mpsc::channel();
        // The runtime is made and dropped on this thread: a caller inside a runtime of its own could do neither.
        let thread = std::thread::Builder::new().name("partita-scheduler".into()).spawn(move || match open(options) {
            Ok((premises, owner, outside)) => {
                // The caller waits for it.
                let _ = started.send(Ok(outside.clone()));
                live(premises, owner, &outside);
            }
            Err(failure) => drop(started.send(Err(failure))),
        });
        let thread = thread.map_err(|e| Failure::internal(format!("no thread for the scheduler: {e}")))?;
        let outside = outcome.recv().map_err(|_| Failure::internal("the scheduler's thread ended before it had started"))??;
        Ok(Server { outside, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens.
    pub fn socket(&self) -> SocketAddr {
        self.outside.address
    }

    /// `host:port`, for people.
    pub fn address(&self) -> String {
        self.outside.client_address.place()
    }

    /// The address with the right to join, for people to paste.
    pub fn join_link(&self) -> String {
        self.outside.client_address.to_string()
    }

    /// The same, for programs in this process.
    pub fn client_address(&self) -> Address {
        self.outside.client_address.clone()
    }

    /// Everything at this moment; an empty view once the scheduler has ended.
    pub fn snapshot(&self) -> ClusterView {
        self.visit(|owner| owner.view()).unwrap_or_default()
    }

    /// Scheduler, workers and clients at this moment: cheaper than [`Server::snapshot`].
    pub fn info(&self) -> ClusterInfo {
        self.visit(|owner| owner.info()).unwrap_or_default()
    }

    /// What happened to a task lately, a line each.
    pub fn story(&self, key: partita_graph::Key) -> Vec<String> {
        self.visit(move |owner| owner.story(key)).unwrap_or_default()
    }

    /// Why a task does not run, a line each.
    pub fn explain_wait(&self, key: partita_graph::Key) -> Vec<String> {
        self.visit(move |owner| owner.explain_wait(key)).unwrap_or_default()
    }

    /// Lets a worker go, by name: what only it holds is moved to others first, and what it runs may end. `told` is called once on the
    /// scheduler's thread, where it must not block; a scheduler that ends first drops it.
    ///
    /// It is told a failure when no worker has this name (E0108), and when the worker cannot go or takes longer than `within`, and serves again
    /// (E0205).
    pub fn retire(&self, name: &str, within: Duration, told: impl FnOnce(Result<(), Failure>) + Send + 'static) {
        let name = name.to_owned();
        let told = Box::new(move |answer: Result<Answer, Failure>| told(answer.map(drop)));
        self.outside.inbox.post(Incoming::Visit(Box::new(move |owner| owner.visitor_retires(name, within, told))));
    }

    fn visit<T: Send + 'static>(&self, look: impl FnOnce(&Owner) -> T + Send + 'static) -> Option<T> {
        let (answer, seen) = mpsc::channel();
        let visit = Box::new(move |owner: &mut Owner| drop(answer.send(look(owner))));
        self.outside.inbox.post(Incoming::Visit(visit)).then(|| seen.recv().ok()).flatten()
    }

    /// Blocks until the scheduler has ended: the reason, or what broke it.
    pub fn wait(&self) -> Result<String, Failure> {
        let mut ended = self.outside.ended();
        loop {
            match &*ended {
                Some(outcome) => return outcome.clone(),
                None => ended = self.outside.bell.wait(ended).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// The same, but not longer than this; `None` while it runs.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<String, Failure>> {
        let ended = self.outside.ended();
        let waiting = self.outside.bell.wait_timeout_while(ended, timeout, |ended| ended.is_none());
        waiting.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Ends it: clients, workers and nannies are told. Blocks until all is closed.
    pub fn close(&self) {
        self.outside.inbox.post(Incoming::Visit(Box::new(|owner| owner.end("it was closed".into()))));
        // Whoever closes it meanwhile waits here, so that for all of them it is closed afterwards.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A thread that panicked has nothing more to close.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl Outside {
    fn ended(&self) -> MutexGuard<'_, Option<Result<String, Failure>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(options: Options) -> Result<(Premises, Owner, Arc<Outside>), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().event_interval(SERVED_AT_A_TIME).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::internal(format!("no runtime for links: {e}")))?;
    let (inbox, roster, diary) = (Arc::new(Inbox::default()), Arc::new(Roster::default()), Arc::new(Diary::default()));
    let epoch = fastrand::u64(..);
    let cluster = options.name.clone().unwrap_or_else(|| options.security.cluster().to_owned());
    let door = Arc::new(Door::new(roster.clone(), inbox.clone(), diary.clone(), epoch, cluster.clone()));
    // The machine decides when a client is forgotten and the owner when a worker is; links wait a little longer.
    let grace = options.worker_ttl.max(options.client_grace) + Duration::from_secs(5);
    let limits = Limits { grace, ..Limits::default() };
    let listening = Listener::bind(&options.host, options.port, options.security.clone(), limits, Some(door.clone()), None);
    let listener = runtime.block_on(listening)?;
    let address = listener.address();
    let client_address = options.security.join_link(&reachable(&options.host, address), address.port());
    let signposts = put_up(&options, &client_address, &cluster)?;
    diary.write(format!("the scheduler listens on {address}"));
    let fixed = Fixed { epoch, cluster, address: client_address.place(), options };
    let owner = Owner::new(fixed, inbox.clone(), roster, diary);
    let outside = Outside { inbox, address, client_address, ended: Mutex::default(), bell: Condvar::new() };
    Ok((Premises { runtime, listener, door, signposts }, owner, Arc::new(outside)))
}

/// The host under which others reach a listener: what the user wrote, unless it stands for all addresses.
fn reachable(host: &str, address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        false => host.to_owned(),
        true => hostname().unwrap_or_else(|| "127.0.0.1".into()),
    }
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn put_up(options: &Options, address: &Address, cluster: &str) -> Result<Vec<Signpost>, Failure> {
    let text = address.to_string();
    let mut signposts = Vec::new();
    if let Some(path) = &options.scheduler_file {
        signposts.push(Signpost::write(path, &text, cluster)?);
    }
    // A convenience: without it programs on this host need the token.
    let nearby = is_loopback(&address.host) || options.host == "0.0.0.0" || options.host == "::";
    if let Some(path) = state_file(address.port).filter(|_| options.state_file && nearby)
        && let Ok(signpost) = Signpost::write(&path, &text, cluster)
    {
        signposts.push(signpost);
    }
    Ok(signposts)
}

fn live(premises: Premises, mut owner: Owner, outside: &Outside) {
    let outcome = premises.runtime.block_on(owner.run());
    premises.door.closing.store(true, Ordering::Relaxed);
    outside.inbox.close();
    let reason = match &outcome {
        Ok(reason) => reason.clone(),
        Err(failure) => failure.what.clone(),
    };
    drop(premises.signposts);
    premises.runtime.block_on(async {
        farewell(&mut owner, &reason).await;
        // Listeners close at once, unless a peer does not let go.
        let _ = tokio::time::timeout(FAREWELL, premises.listener.close()).await;
    });
    drop(owner);
    premises.runtime.shutdown_timeout(FAREWELL);
    *outside.ended() = Some(outcome);
    outside.bell.notify_all();
}

/// Tells everybody, and gives the words time to leave.
async fn farewell(owner: &mut Owner, reason: &str) {
    let mut links = Vec::new();
    for client in owner.clients.values() {
        client.link.send(wire::encode_told(&SchedulerToClient::Closing(reason.to_owned())));
        links.push(client.link.clone());
    }
    for nanny in owner.nannies.values() {
        nanny.say(&SchedulerToNanny::Close { reason: reason.to_owned() });
        links.push(nanny.link.clone());
    }
    for worker in owner.workers.values_mut() {
        worker.say(&SchedulerToWorker::Close { reason: reason.to_owned(), restart: false });
        links.push(worker.link.clone());
    }
    let until = Instant::now() + FAREWELL;
    // Who has gone without a word, as a client does whose program ends, hears nothing however long one waits.
    while links.iter().any(|link| link.is_listening() && link.pending_bytes() > 0) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for link in links {
        link.close(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{self, Remote};
    use crate::security::ServerSecurity;
    use partita_graph::{Chunk, Code, Executor, Graph, Layer, NamedOperator, OpRef, Operator, Plain, Registry, TaskContext};

    #[derive(serde::Serialize, serde::Deserialize)]
    struct One;

    impl Operator for One {
        fn run(&self, _: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
            Ok(Chunk::new(Plain(1i64)))
        }
    }

    impl NamedOperator for One {
        const NAME: &'static str = "one";
    }

    #[test]
    fn a_broken_machine_ends_loudly_and_every_client_is_told() {
        let mut options = Options::new(ServerSecurity::plain(None));
        options.port = 0;
        let server = Server::start(options).expect("a free port");
        let client = Remote::connect_to(server.client_address(), client::Options::default(), Registry::default()).expect("let in");
        let mut graph = Graph::default();
        let id = graph.add(Layer::single("one", 1, OpRef::new(One, "one"), vec![]));
        graph.want_all(id);
        let run = client.submit(graph).expect("sound");
        client.info().expect("it serves, and has the graph");
        server.outside.inbox.post(Incoming::Visit(Box::new(|_| panic!("books that do not balance"))));
        let failure = server.wait().expect_err("it did not end well");
        assert_eq!(failure.code, Code::Internal);
        assert!(failure.to_string().contains("books that do not balance"), "{failure}");
        assert_eq!(run.wait().expect_err("no result can be trusted").code, Code::Internal);
        assert_eq!(client.info().map(drop).expect_err("it is gone").code, Code::Disconnected);
    }
}
