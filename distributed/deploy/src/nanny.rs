//! A nanny: the life of one worker, start after start, with a link of its own to the scheduler.
//!
//! It refuses to decide (that is `care`) and to know more of the worker than its process. Invariants: what it tells the
//! scheduler about a death it tells before it starts the next process; when it ends, no process and no folder of it is left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::signal::Signal;
use partita_graph::{Code, Failure};
use partita_net::address::Address;
use partita_net::link::{self, Limits, Link, LinkEvent};
use partita_net::message::{Hello, NannyToScheduler, PeerInfo, SchedulerToNanny};
use partita_net::security::{Role, Security};
use partita_net::wire::{decode_to_nanny, encode_nanny};
use partita_net::worker::recorder::Executing;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::care::{Ask, Care, End, Rules, Seen, Step};
use crate::crew::Report;
use crate::process::{Worker, WorkerCommand};
use crate::spec::{WorkerSpec, random_id};

/// How a nanny speaks to people: whole lines.
pub type Voice = Arc<dyn Fn(&str) + Send + Sync>;

/// What a nanny needs.
#[derive(Clone)]
pub struct NannyOptions {
    /// The worker. Its folder, recorder and numbers are chosen anew for each start, the folder below the one named here.
    pub spec: WorkerSpec,
    /// How its process is started.
    pub command: WorkerCommand,
    /// When it is killed, how it is started again. The memory limit is the specification's.
    pub rules: Rules,
    /// Remarks for people. By default they go to standard error.
    pub voice: Voice,
}

impl NannyOptions {
    /// With the default rules.
    pub fn new(spec: WorkerSpec, command: WorkerCommand) -> Self {
        let rules = Rules { memory_limit: spec.memory_limit, stop: spec.stop_timeout, ..Rules::default() };
        Self { spec, command, rules, voice: Arc::new(|line| eprintln!("partita: {line}")) }
    }
}

/// How often the process is looked at: for its memory, and for signs of life.
const LOOK: Duration = Duration::from_millis(100);
/// As long as it has not joined, somebody waits for that.
const LOOK_EARLY: Duration = Duration::from_millis(15);

/// How long its last words to the scheduler may take to arrive.
const FAREWELL: Duration = Duration::from_secs(1);

/// The nanny's end of its link.
pub(crate) type Line = (Link, UnboundedReceiver<LinkEvent>);

/// Connects as the nanny `id`, for as long as the worker would wait too.
pub(crate) async fn connect(spec: &WorkerSpec, id: u128) -> Result<Line, Failure> {
    let address: Address = spec.address.parse()?;
    let until = Instant::now() + spec.death_timeout;
    let files = spec.worker_options().tls;
    loop {
        let tried = async {
            let security = Security::resolve(&address, Role::Nanny, files.as_ref()).await?;
            let host = sysinfo::System::host_name().unwrap_or_default();
            let hello = Hello::new(PeerInfo::Nanny { id, host, worker_name: spec.name.clone() });
            // It must not give up the scheduler before its worker does.
            let limits = Limits { grace: spec.death_timeout, ..Limits::default() };
            link::connect_with(&address, &security, hello, limits).await
        };
        match tried.await {
            Ok((link, events, _)) => return Ok((link, events)),
            // The scheduler may be started a moment after its workers.
            Err(failure) if failure.code == Code::Unreachable && Instant::now() < until => tokio::time::sleep(LOOK * 2).await,
            Err(failure) => return Err(failure),
        }
    }
}

/// Connects, then watches until the end.
pub(crate) async fn run(options: NannyOptions, asks: UnboundedReceiver<Ask>, report: Report) {
    let id = random_id();
    let mut asks = asks;
    let connected = tokio::select! {
        connected = connect(&options.spec, id) => connected,
        // Whatever is asked, nothing runs yet.
        _ = asks.recv() => return report.ended(End::Left, None),
    };
    match connected {
        Ok(line) => Nanny::new(options, id, line, asks, report).live().await,
        Err(failure) => report.ended(End::GaveUp(failure.to_string()), Some(failure)),
    }
}

/// What wakes it.
enum Woken {
    Exit(crate::care::Exit),
    Ask(Option<Ask>),
    Link(Option<LinkEvent>),
    Look,
}

pub(crate) struct Nanny {
    options: NannyOptions,
    id: u128,
    link: Link,
    events: UnboundedReceiver<LinkEvent>,
    asks: UnboundedReceiver<Ask>,
    report: Report,
    care: Care,
    steps: Vec<Step>,
    worker: Option<Worker>,
    joined: bool,
    /// Of the process that ended last.
    executed: (u128, Option<Vec<Executing>>),
    born: Instant,
    deaf: bool,
}

impl Nanny {
    pub fn new(options: NannyOptions, id: u128, (link, events): Line, asks: UnboundedReceiver<Ask>, report: Report) -> Self {
        let mut steps = Vec::new();
        let care = Care::new(Rules { memory_limit: options.spec.memory_limit, ..options.rules.clone() }, &mut steps);
        let (worker, joined, executed, born, deaf) = (None, false, (0, None), Instant::now(), false);
        Self { options, id, link, events, asks, report, care, steps, worker, joined, executed, born, deaf }
    }

    /// Does what `care` says until it says that it is over.
    pub async fn live(mut self) {
        loop {
            // Steps lead to sights and sights to steps; they are done in order.
            while !self.steps.is_empty() {
                for step in std::mem::take(&mut self.steps) {
                    if let Step::End(end) = step {
                        return self.end(end).await;
                    }
                    self.act(step);
                }
            }
            match self.wake().await {
                Woken::Exit(exit) => self.exited(exit).await,
                Woken::Ask(Some(ask)) => self.see(Seen::Asked(ask)),
                // Whoever could ask is gone: nobody needs the worker.
                Woken::Ask(None) => self.abandoned(),
                Woken::Link(Some(LinkEvent::Message(bytes))) => self.told(&bytes),
                Woken::Link(Some(LinkEvent::Lost(_))) => self.see(Seen::SchedulerHeard(false)),
                Woken::Link(Some(LinkEvent::Back)) => self.see(Seen::SchedulerHeard(true)),
                Woken::Link(Some(LinkEvent::Closed(failure))) => self.cut(failure.what.clone()),
                Woken::Link(None) => self.cut("the link ended".into()),
                Woken::Look => self.look(),
            }
        }
    }

    async fn wake(&mut self) -> Woken {
        let pause = if self.worker.is_some() && !self.joined { LOOK_EARLY } else { LOOK };
        let exit = async {
            match &mut self.worker {
                Some(worker) => worker.wait().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            exit = exit => Woken::Exit(exit),
            ask = self.asks.recv() => Woken::Ask(ask),
            event = self.events.recv(), if !self.deaf => Woken::Link(event),
            () = tokio::time::sleep(pause) => Woken::Look,
        }
    }

    fn see(&mut self, seen: Seen) {
        self.care.handle(self.born.elapsed(), seen, &mut self.steps);
    }

    fn abandoned(&mut self) {
        let (_, never) = tokio::sync::mpsc::unbounded_channel();
        self.asks = never;
        self.see(Seen::Asked(Ask::Kill));
    }

    fn cut(&mut self, why: String) {
        self.deaf = true;
        self.see(Seen::SchedulerGone(why));
    }

    fn told(&mut self, bytes: &Bytes) {
        match decode_to_nanny(bytes) {
            Ok(SchedulerToNanny::Restart { incarnation }) => {
                if self.worker.as_ref().is_some_and(|worker| worker.incarnation == incarnation) {
                    self.see(Seen::Asked(Ask::Restart));
                }
            }
            Ok(SchedulerToNanny::Close { reason }) => {
                (self.options.voice)(&format!("{}: closed by the scheduler: {reason}", self.name()));
                self.see(Seen::Asked(Ask::Stop));
            }
            Err(failure) => self.cut(failure.what.clone()),
        }
    }

    fn look(&mut self) {
        if let Some(worker) = &self.worker {
            let (resident, beats) = worker.look();
            if !self.joined && worker.has_joined() {
                self.joined = true;
                self.see(Seen::Joined);
                self.report.joined();
            }
            self.see(Seen::Look { resident, beats });
        }
        self.see(Seen::Tick);
    }

    async fn exited(&mut self, exit: crate::care::Exit) {
        let Some(mut worker) = self.worker.take() else { return };
        // It may have joined and ended between two looks, or before it could say so: whoever got a task has joined.
        let worked = || worker.executing().is_some_and(|tasks| !tasks.is_empty());
        if !self.joined && (worker.has_joined() || worked()) {
            self.see(Seen::Joined);
        }
        let last = worker.last_words().await;
        self.executed = (worker.incarnation, worker.executing());
        self.joined = false;
        self.report.gone();
        // Its folder goes with it, before anybody can wait for the report of its end.
        drop(worker);
        self.see(Seen::Exited(exit, last));
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Start => match Worker::start(&self.options.spec, self.id, &self.options.command) {
                Ok(worker) => {
                    self.report.started(worker.pid().unwrap_or_default(), worker.incarnation);
                    self.worker = Some(worker);
                    self.see(Seen::Started);
                }
                Err(why) => self.see(Seen::NoProcess(why)),
            },
            Step::Terminate => self.signal(Signal::SIGTERM),
            Step::Kill => self.signal(Signal::SIGKILL),
            Step::Died { why, blame } => {
                let (incarnation, executing) = self.executed.clone();
                let executing = if blame { executing } else { Some(Vec::new()) };
                // For people the tasks belong to the reason; the scheduler gets them as data too.
                let why = match executing.as_ref().filter(|tasks| !tasks.is_empty()) {
                    Some(tasks) => {
                        let tasks = named(tasks);
                        (self.options.voice)(&format!("{}: {tasks}", self.name()));
                        format!("{why}; {tasks}")
                    }
                    None => why,
                };
                self.report.died(&why);
                let executing = executing.map(|tasks| tasks.into_iter().map(|task| (task.key, task.attempt)).collect());
                self.tell(&NannyToScheduler::Died { incarnation, why, executing });
            }
            Step::GivenUp(why) => {
                (self.options.voice)(&format!("{}: no worker could be started: {why}", self.name()));
                self.tell(&NannyToScheduler::GivenUp { why });
            }
            Step::Say(line) => (self.options.voice)(&format!("{}: {line}", self.name())),
            Step::End(_) => {}
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(worker) = &self.worker {
            worker.signal(signal);
        }
    }

    fn tell(&self, message: &NannyToScheduler) {
        self.link.send(encode_nanny(message));
    }

    fn name(&self) -> &str {
        match self.options.spec.name.as_str() {
            "" => "worker",
            name => name,
        }
    }

    /// What was said must have arrived before anybody learns that it is over: this process may end right then.
    async fn end(mut self, end: End) {
        debug_assert!(!self.care.running());
        let until = Instant::now() + FAREWELL;
        while !self.deaf && self.link.pending_bytes() > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.link.close("the nanny ends");
        if !self.deaf {
            let events = &mut self.events;
            let closed = async { while events.recv().await.is_some_and(|event| !matches!(event, LinkEvent::Closed(_))) {} };
            // Whether or not it arrives, the other side finds out.
            let _ = tokio::time::timeout_at(until.into(), closed).await;
        }
        let failure = match &end {
            End::GaveUp(why) => Some(Failure::new(Code::WorkerStart, format!("worker {}: {why}", self.name()))),
            End::Left | End::SchedulerGone(_) => None,
        };
        self.report.ended(end, failure);
    }
}

/// What it was doing, in words. A worker of many threads has many tasks, and a line has an end.
fn named(tasks: &[Executing]) -> String {
    const NAMED: usize = 8;
    let shown = tasks.iter().take(NAMED).map(|task| format!("{} {} (attempt {})", task.name, task.key, task.attempt));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match tasks.len().saturating_sub(NAMED) {
        0 => format!("it was executing {shown}"),
        more => format!("it was executing {shown} and {more} more"),
    }
}
