//! The connection to one scheduler: what is sent, and to whom what comes belongs.
//!
//! It refuses to know results; see `fetch`. Invariants: numbers of runs and questions are used once; whoever waits for
//! something gets it, or learns that the scheduler is gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use partita_core::protocol::Ending;
use partita_graph::{Code, Executor, Failure, Graph, Key, Registry, Run, RunEach, RunningEach};
use partita_local::{Listeners, hurry_inside};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Options;
use super::each::RemoteEach;
use super::room::Heard;
use super::run::{RemoteRun, Shared};
use crate::address::Address;
use crate::flight::Peers;
use crate::link::{Limits, Link, LinkEvent, connect_with};
use crate::message::{Answer, ClientToScheduler, Hello, PeerInfo, Question, SchedulerToClient};
use crate::one_thread::OneThread;
use crate::security::{Role, Security};
use crate::wire;

/// Largest message that is accepted of a scheduler.
const MOST_MESSAGE: usize = 1 << 30;
/// Bytes of graphs that may wait for a slow network.
const MOST_WAITING: u64 = 4 << 30;
/// How long words that are under way may take when the last handle is dropped.
const GOODBYE: Duration = Duration::from_secs(1);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// Threads of all clients of this process. Never dropped: a runtime cannot be dropped inside another.
struct Threads {
    /// What schedulers say and are told.
    control: OneThread,
    /// Large results.
    bulk: Runtime,
}

fn threads() -> Result<&'static Threads, Failure> {
    static THREADS: OnceLock<Result<Threads, Failure>> = OnceLock::new();
    let made = THREADS.get_or_init(|| {
        let bulk = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("partita-fetch").enable_all().build();
        let bulk = bulk.map_err(|e| Failure::internal(format!("no threads for reading results: {e}")))?;
        Ok(Threads { control: OneThread::start("partita-client")?, bulk })
    });
    made.as_ref().map_err(Clone::clone)
}

/// The handle of a run, which may still live.
enum Handed {
    Whole(Weak<RemoteRun>),
    Each(Weak<RemoteEach>),
}

/// A run whose handle may still live.
type Known = (Arc<Shared>, Handed);

pub(super) type Asked = Box<dyn FnOnce(Result<Answer, Failure>) + Send>;

/// A cluster as an executor. Dropping it says goodbye once its runs are dropped too.
pub struct Remote {
    inner: Arc<Inner>,
}

/// What handles of runs keep alive.
pub(super) struct Inner {
    pub registry: Registry,
    /// Connections to the workers' data ports.
    pub peers: Peers,
    pub options: Options,
    /// Where results are read.
    pub runtime: &'static Handle,
    link: Link,
    /// Where the scheduler is, for messages.
    place: String,
    runs: Mutex<BTreeMap<u64, Known>>,
    questions: Mutex<HashMap<u64, Asked>>,
    /// Who listens to which topic.
    listeners: Listeners,
    next: AtomicU64,
    /// Why nothing is heard any more, once that is so.
    gone: Mutex<Option<Failure>>,
    /// The scheduler said that it ends, and why.
    closing: Mutex<Option<String>>,
    lost: AtomicBool,
    /// What was heard of the workers together.
    pub(super) room: Mutex<Heard>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    /// Connects to the scheduler at this address; tries until the timeout is over when nothing answers.
    ///
    /// # Errors
    /// Nothing answers (E0211), something else answers (E0212), versions differ (E0213), a token or certificate is refused
    /// (E0214).
    pub fn connect(address: &str, options: Options, registry: Registry) -> Result<Arc<Remote>, Failure> {
        Self::connect_to(address.parse()?, options, registry)
    }

    /// The same with an address that is at hand.
    ///
    /// # Errors
    /// As [`Remote::connect`].
    pub fn connect_to(address: Address, options: Options, registry: Registry) -> Result<Arc<Remote>, Failure> {
        let Threads { control, bulk } = threads()?;
        let (done, outcome) = mpsc::channel();
        let wishes = options.clone();
        let target = address.clone();
        control.handle().spawn(async move {
            // Nobody listens when the caller is gone.
            let _ = done.send(dial(&target, &wishes).await);
        });
        let (link, events, security) = outcome.recv().map_err(|_| Failure::internal("the connecting task ended"))??;
        let inner = Arc::new(Inner {
            registry,
            peers: Peers::new(security),
            options,
            runtime: bulk.handle(),
            link,
            place: address.place(),
            runs: Mutex::default(),
            questions: Mutex::default(),
            listeners: Listeners::default(),
            next: AtomicU64::new(1),
            gone: Mutex::default(),
            closing: Mutex::default(),
            lost: AtomicBool::new(false),
            room: Mutex::default(),
        });
        control.handle().spawn(listen(Arc::downgrade(&inner), events));
        Ok(Arc::new(Remote { inner }))
    }

    /// Who listens to which topic; that a topic is subscribed to is asked besides.
    pub fn listeners(&self) -> &Listeners {
        &self.inner.listeners
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Asks; `then` is called once. The number of the question.
    pub(super) fn ask_then(&self, what: Question, then: Asked) -> u64 {
        self.inner.ask_then(what, then)
    }

    /// Whether the scheduler is gone for good: it ended, or did not come back in time.
    pub fn is_over(&self) -> bool {
        locked(&self.inner.gone).is_some()
    }

    /// Whether messages flow at this moment.
    pub fn connected(&self) -> bool {
        !self.inner.lost.load(Ordering::Relaxed) && locked(&self.inner.gone).is_none()
    }

    /// Cancels all runs of this client that have not ended.
    pub fn cancel_all(&self) {
        for run in self.inner.live_runs() {
            run.stop();
        }
        for run in self.inner.live_each() {
            run.cancel();
        }
    }

    /// Cancels the runs of this client that want one of these keys and have not ended; of runs whose keys end one by one these keys
    /// only.
    pub fn cancel_keys(&self, keys: &[Key]) {
        for run in self.inner.live_runs() {
            if run.wanted.iter().any(|key| keys.contains(key)) {
                run.stop();
            }
        }
        for run in self.inner.live_each() {
            run.cancel_keys(keys);
        }
    }

    /// Lets failed runs that wanted one of these keys go, so that the same work is tried again when it is submitted next. The
    /// handles keep their failures.
    pub fn forget_failures(&self, keys: &[Key]) {
        for run in self.inner.live_runs() {
            let failed = matches!(run.shared.outcome(), Some(Err(_)));
            if failed && run.wanted.iter().any(|key| keys.contains(key)) {
                run.release();
            }
        }
        for run in self.inner.live_each() {
            run.forget_failures(keys);
        }
    }

    /// Lets go of the keys that failed with this, of runs whose keys end one by one, as [`Remote::forget_failures`] does by key.
    pub fn forget_failure(&self, failure: &Failure) {
        self.inner.live_each().iter().for_each(|run| run.forget_failure(failure));
    }

    /// Asks the scheduler and waits for the answer.
    pub(super) fn ask(&self, what: Question) -> Result<Answer, Failure> {
        self.inner.ask(what)
    }

    /// The scheduler's number of a run of this client.
    pub(super) fn number(&self, run: &Run) -> Result<u64, Failure> {
        self.number_at(Arc::as_ptr(run).cast())
    }

    /// The same of a run whose keys end one by one.
    pub(super) fn number_each(&self, run: &RunEach) -> Result<u64, Failure> {
        self.number_at(Arc::as_ptr(run).cast())
    }

    /// The number of the run whose handle is there.
    fn number_at(&self, wanted: *const ()) -> Result<u64, Failure> {
        let runs = locked(&self.inner.runs);
        let is_it = |handed: &Handed| match handed {
            Handed::Whole(known) => std::ptr::eq(known.as_ptr().cast::<()>(), wanted),
            Handed::Each(known) => std::ptr::eq(known.as_ptr().cast::<()>(), wanted),
        };
        let found = runs.iter().find(|(_, (_, handed))| is_it(handed));
        found.map(|(number, _)| *number).ok_or_else(|| {
            Failure::new(Code::InvalidOption, "these results are not on this cluster")
                .help("compute or persist them with the client of this cluster")
        })
    }
}

async fn dial(address: &Address, options: &Options) -> Result<(Link, UnboundedReceiver<LinkEvent>, Security), Failure> {
    let until = Instant::now() + options.timeout;
    loop {
        let tried = tokio::time::timeout(options.timeout, dial_once(address, options)).await;
        let failure = match tried {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::new(Code::Unreachable, format!("{} does not answer within {:?}", address.place(), options.timeout))
                .help("check host and port, and that `partita scheduler` runs there"),
        };
        // A scheduler may be about to start; a refusal is final.
        if failure.code != Code::Unreachable || Instant::now() + PAUSE >= until {
            return Err(failure);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn dial_once(address: &Address, options: &Options) -> Result<(Link, UnboundedReceiver<LinkEvent>, Security), Failure> {
    let security = Security::resolve(address, Role::Client, options.tls_files.as_ref()).await?;
    let hello = Hello::new(PeerInfo::Client { name: options.name.clone() });
    let limits = Limits { message: MOST_MESSAGE, pending: MOST_WAITING, grace: options.grace, ..Limits::default() };
    let (link, events, _) = connect_with(address, &security, hello, limits).await?;
    Ok((link, events, security))
}

/// Hears the scheduler until the link ends or nobody is left who wants to know.
async fn listen(inner: Weak<Inner>, mut events: UnboundedReceiver<LinkEvent>) {
    while let Some(event) = events.recv().await {
        let Some(inner) = inner.upgrade() else { return };
        match event {
            LinkEvent::Message(bytes) => match wire::decode_told(bytes) {
                Ok(told) => told.into_iter().for_each(|told| inner.hear(told)),
                Err(failure) => {
                    inner.link.close(&failure.what);
                    inner.is_gone(failure);
                }
            },
            LinkEvent::Lost(_) => inner.lost.store(true, Ordering::Relaxed),
            LinkEvent::Back => inner.lost.store(false, Ordering::Relaxed),
            LinkEvent::Closed(failure) => inner.is_gone(failure),
        }
    }
}

impl Inner {
    fn hear(&self, told: SchedulerToClient) {
        match told {
            SchedulerToClient::Done(run) => self.with_run(run, |shared| shared.end(Ok(()))),
            SchedulerToClient::Failed(run, failure) => self.with_run(run, |shared| shared.end(Err(failure))),
            SchedulerToClient::Keys(run, news) => self.with_run(run, |shared| shared.news(news)),
            SchedulerToClient::Note(run, text) => self.with_run(run, |shared| shared.note(text)),
            SchedulerToClient::Progress(run, progress) => self.with_run(run, |shared| shared.set_progress(progress)),
            SchedulerToClient::Answer { query, answer } => {
                let asked = locked(&self.questions).remove(&query);
                if let Some(asked) = asked {
                    asked(answer);
                }
            }
            SchedulerToClient::Delivered { topic, message } => self.listeners.hear(&topic, &message),
            SchedulerToClient::Closing(reason) => *locked(&self.closing) = Some(reason),
        }
    }

    fn with_run(&self, run: u64, act: impl FnOnce(&Shared)) {
        let shared = locked(&self.runs).get(&run).map(|(shared, _)| shared.clone());
        if let Some(shared) = shared {
            act(&shared);
        }
    }

    /// Nothing will be heard any more: whoever waits learns it.
    fn is_gone(&self, cause: Failure) {
        let words = match locked(&self.closing).take() {
            Some(reason) => format!("the scheduler at {} has ended: {reason}", self.place),
            None => format!("the connection to the scheduler at {} is gone", self.place),
        };
        let failure = Failure::new(Code::Disconnected, words).cause(cause).help("connect again and submit again, once a scheduler runs");
        locked(&self.gone).get_or_insert(failure.clone());
        let runs: Vec<Arc<Shared>> = locked(&self.runs).values().map(|(shared, _)| shared.clone()).collect();
        for shared in runs {
            shared.cut(failure.clone());
        }
        let questions = std::mem::take(&mut *locked(&self.questions));
        for asked in questions.into_values() {
            asked(Err(failure.clone()));
        }
        self.listeners.close();
    }

    pub fn live_runs(&self) -> Vec<Arc<RemoteRun>> {
        let whole = |(_, handed): &Known| if let Handed::Whole(run) = handed { run.upgrade() } else { None };
        locked(&self.runs).values().filter_map(whole).collect()
    }

    fn live_each(&self) -> Vec<Arc<RemoteEach>> {
        let each = |(_, handed): &Known| if let Handed::Each(run) = handed { run.upgrade() } else { None };
        locked(&self.runs).values().filter_map(each).collect()
    }

    pub fn forget(&self, number: u64) {
        locked(&self.runs).remove(&number);
    }

    /// Sends what can always be encoded.
    pub fn send(&self, message: &ClientToScheduler) {
        if let Ok(bytes) = wire::encode_asked(message) {
            self.link.send(bytes);
        }
    }

    /// Asks the scheduler and waits for the answer.
    pub fn ask(&self, what: Question) -> Result<Answer, Failure> {
        let (done, answer) = mpsc::channel();
        self.ask_then(what, Box::new(move |answered| drop(done.send(answered))));
        answer.recv().unwrap_or_else(|_| Err(Failure::internal("a question was dropped without an answer")))
    }

    /// Asks; `then` is called once, on another thread, and must not block. The number of the question.
    pub fn ask_then(&self, what: Question, then: Asked) -> u64 {
        let query = self.next.fetch_add(1, Ordering::Relaxed);
        locked(&self.questions).insert(query, then);
        self.send(&ClientToScheduler::Ask { query, what });
        // The link may have ended before the question was written down.
        let gone = locked(&self.gone).clone();
        let forgotten = gone.and_then(|failure| Some((failure, locked(&self.questions).remove(&query)?)));
        if let Some((failure, asked)) = forgotten {
            asked(Err(failure));
        }
        query
    }

    fn is_gone_already(&self) -> Result<(), Failure> {
        match &*locked(&self.gone) {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }
}

impl Inner {
    /// A number for a new run, the message that submits it, and what it wants.
    fn prepare(&self, mut graph: Graph, ending: Ending) -> Result<(u64, Bytes, Vec<Key>), Failure> {
        graph.validate()?;
        hurry_inside(&mut graph);
        self.is_gone_already()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let message = ClientToScheduler::Submit { run: number, graph, ending };
        let bytes = wire::encode_asked(&message)?;
        match message {
            ClientToScheduler::Submit { graph, .. } => Ok((number, bytes, graph.wanted)),
            _ => Err(Failure::internal("a message changed its kind")),
        }
    }

    /// Writes the run down and submits it.
    fn begin(&self, shared: Arc<Shared>, handed: Handed, message: Bytes) {
        locked(&self.runs).insert(shared.number, (shared.clone(), handed));
        self.link.send(message);
        // The link may have ended before the run was written down.
        if let Err(failure) = self.is_gone_already() {
            shared.cut(failure);
        }
    }
}

impl Executor for Remote {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        let (number, message, wanted) = self.inner.prepare(graph, Ending::Together)?;
        let shared = Shared::new(number);
        let run = Arc::new(RemoteRun::new(self.inner.clone(), shared.clone(), wanted));
        self.inner.begin(shared, Handed::Whole(Arc::downgrade(&run)), message);
        Ok(run)
    }

    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
        let (number, message, wanted) = self.inner.prepare(graph, Ending::Each)?;
        let shared = Shared::each(number, wanted);
        let run = Arc::new(RemoteEach::new(self.inner.clone(), shared.clone()));
        self.inner.begin(shared, Handed::Each(Arc::downgrade(&run)), message);
        Ok(run)
    }

    /// All threads of all workers, not older than a second unless a thread of a runtime asks, which is not made to wait; at least 1, so that work can
    /// be planned before workers come.
    fn threads(&self) -> usize {
        self.room().threads.max(1)
    }

    fn memory_per_thread(&self) -> Option<u64> {
        self.room().memory_per_thread
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.send(&ClientToScheduler::Goodbye);
        // A program may end right after this: without the goodbye its results would be kept for the whole grace period.
        let until = Instant::now() + GOODBYE;
        // The last handle may be dropped where links are served, and then the words leave after this.
        let elsewhere = threads().is_ok_and(|threads| !threads.control.is_here());
        while elsewhere && !self.lost.load(Ordering::Relaxed) && self.link.pending_bytes() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
        self.link.close("the client is done");
    }
}
