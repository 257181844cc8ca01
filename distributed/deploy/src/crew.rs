//! Several nannies on a thread of their own, and what is known of them.
//!
//! It refuses to know why they are there. Invariant: whoever drops a crew gets control back only when no process of it is
//! left, or after the time that stopping may take.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use partita_graph::{Code, Failure};
use tokio::sync::{mpsc, oneshot};

use crate::care::{Ask, End};
use crate::nanny::{self, Line, Nanny, NannyOptions};
use crate::spec::random_id;

/// What is known of one nanny and its worker.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The worker's process, while there is one.
    pub pid: Option<u32>,
    /// The number of this start.
    pub incarnation: u128,
    /// Whether this process has joined the scheduler.
    pub joined: bool,
    /// How often a process was started.
    pub starts: u32,
    /// Why the worker died last.
    pub died: Option<String>,
    /// How the nanny ended, once it has.
    pub end: Option<End>,
    /// Why no worker could be started, if it ended for that.
    pub failure: Option<Failure>,
}

#[derive(Default)]
struct Board {
    status: Mutex<Vec<Status>>,
    bell: Condvar,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Vec<Status>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a nanny writes what happened.
#[derive(Clone)]
pub(crate) struct Report {
    board: Arc<Board>,
    at: usize,
}

impl Report {
    fn note(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.board.lock()[self.at]);
        self.board.bell.notify_all();
    }

    pub fn started(&self, pid: u32, incarnation: u128) {
        self.note(|status| {
            *status = Status { pid: Some(pid), incarnation, joined: false, starts: status.starts + 1, ..status.clone() };
        });
    }

    pub fn joined(&self) {
        self.note(|status| status.joined = true);
    }

    pub fn gone(&self) {
        self.note(|status| (status.pid, status.joined) = (None, false));
    }

    pub fn died(&self, why: &str) {
        self.note(|status| status.died = Some(why.into()));
    }

    pub fn ended(&self, end: End, failure: Option<Failure>) {
        self.note(|status| *status = Status { pid: None, joined: false, end: Some(end), failure, ..status.clone() });
    }
}

/// One nanny of a [`Crew`], by the order in which they were hired.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Member(pub usize);

/// Nannies. Dropping it stops their workers and waits for that.
pub struct Crew {
    handle: tokio::runtime::Handle,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    board: Arc<Board>,
    asks: Mutex<Vec<mpsc::UnboundedSender<Ask>>>,
    patience: Mutex<Duration>,
}

impl Crew {
    /// Without members.
    ///
    /// # Errors
    /// [`Code::WorkerStart`] when the system gives no thread.
    pub fn new() -> Result<Self, Failure> {
        let refused = |error: std::io::Error| Failure::new(Code::WorkerStart, format!("no thread for nannies: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("partita-nanny").enable_all().build();
        let runtime = runtime.map_err(refused)?;
        let handle = runtime.handle().clone();
        let (close, closed) = oneshot::channel::<()>();
        // The runtime is dropped in a thread of its own: a user may drop a crew inside a runtime, where that would panic.
        let keep = move || {
            let _ = runtime.block_on(closed);
            runtime.shutdown_timeout(Duration::from_secs(1));
        };
        let thread = std::thread::Builder::new().name("partita-crew".into()).spawn(keep).map_err(refused)?;
        let (board, asks, patience) = (Arc::default(), Mutex::default(), Mutex::new(Duration::ZERO));
        Ok(Self { handle, close: Some(close), thread: Some(thread), board, asks, patience })
    }

    /// One more, which connects to the scheduler that its worker's specification names.
    pub fn hire(&self, options: NannyOptions) -> Member {
        let (report, asks) = self.place(&options);
        let member = Member(report.at);
        self.handle.spawn(nanny::run(options, asks, report));
        member
    }

    /// One more over a link that exists already; for schedulers in the same process.
    pub fn hire_over(&self, options: NannyOptions, line: Line) -> Member {
        let (report, asks) = self.place(&options);
        let member = Member(report.at);
        let nanny = Nanny::new(options, random_id(), line, asks, report);
        self.handle.spawn(nanny.live());
        member
    }

    fn place(&self, options: &NannyOptions) -> (Report, mpsc::UnboundedReceiver<Ask>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut status = self.board.lock();
        asks.push(sender);
        status.push(Status::default());
        let mut patience = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        *patience = options.rules.stop.max(*patience);
        (Report { board: self.board.clone(), at: status.len() - 1 }, receiver)
    }

    /// What is known of all, in the order in which they were hired.
    pub fn status(&self) -> Vec<Status> {
        self.board.lock().clone()
    }

    /// Asks one of them.
    pub fn ask(&self, member: Member, ask: Ask) {
        if let Some(asks) = self.asks.lock().unwrap_or_else(PoisonError::into_inner).get(member.0) {
            // One that has ended needs no asking.
            let _ = asks.send(ask);
        }
    }

    /// Asks all of them.
    pub fn ask_all(&self, ask: Ask) {
        for asks in self.asks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = asks.send(ask);
        }
    }

    /// Waits until something is true of them; false when it is not within that time.
    pub fn wait(&self, limit: Duration, enough: impl Fn(&[Status]) -> bool) -> bool {
        let until = Instant::now() + limit;
        let mut status = self.board.lock();
        loop {
            if enough(&status) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            status = self.board.bell.wait_timeout(status, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until all have ended, however long it takes.
    pub fn wait_all(&self) -> Vec<Status> {
        while !self.wait(Duration::from_secs(3600), |all| all.iter().all(|one| one.end.is_some())) {}
        self.status()
    }

    /// Stops all workers and waits for that.
    pub fn close(&self) {
        self.ask_all(Ask::Stop);
        let patience = *self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = |all: &[Status]| all.iter().all(|one| one.end.is_some());
        if !self.wait(patience + Duration::from_secs(2), ended) {
            self.ask_all(Ask::Kill);
            self.wait(Duration::from_secs(5), ended);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.close();
        if let Some(close) = self.close.take() {
            let _ = close.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
