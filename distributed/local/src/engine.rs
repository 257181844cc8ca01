//! The machines behind one lock: both, or the worker's alone when the scheduler is in another process.
//!
//! It refuses to know why the machines decide as they do, and leaves what is done for them to `perform`. Invariants: events are handled one at a time and in the order of
//! each thread; whoever has an event and finds the lock taken leaves the event in the inbox, and whoever holds the lock
//! empties the inbox before going away, so no thread waits for another; nothing slow happens under the lock: chunks are
//! dropped, threads started and callers called back after it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use partita_core::protocol::{
    About, Assignment, RunId, SchedulerAction, SchedulerEvent, Tick, ToScheduler, WorkerAction, WorkerEvent, WorkerId,
};
use partita_core::scheduler::{self, Scheduler};
use partita_core::worker::{self, Worker};
use partita_graph::{Chunk, Failure, Key, Milli, Registry};

use crate::aside::Aside;
use crate::disk::{self, Errands};
use crate::memory::{Gauge, resident};
use crate::outside::Outside;
use crate::place::NoTask;
use crate::pool::Pool;
use crate::run::{Audience, KeyEnds};
use crate::signal::{self, Signal};
use crate::slots::Slots;
use crate::spill::SpillFolder;
use crate::store::{Garbage, Store};
use crate::waiting::MOST_WAITING;
use crate::{Options, serve};

/// The only worker.
pub(crate) const HERE: WorkerId = WorkerId(0);

/// What happened, for either machine.
pub(crate) enum Event {
    Scheduler(SchedulerEvent),
    Worker(WorkerEvent),
    /// For the worker, together with the chunk that it is about.
    Brought(Box<Brought>),
}

/// A chunk that was made or fetched, and what the worker's machine hears of it. Where peers take part, a chunk may be
/// made, fetched and dropped at the same time, so it enters the store in the moment in which the machine hears of it.
pub(crate) struct Brought {
    pub key: Key,
    pub part: Option<u32>,
    /// How many tasks its layer has, or [`crate::store::UNKNOWN`].
    pub len: u32,
    pub chunk: Chunk,
    pub nbytes: u64,
    pub event: WorkerEvent,
}

/// Who posts an event: a loop takes the next task itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Loop,
    Other,
}

/// Where the scheduler's machine is.
pub(crate) enum Above {
    /// In this engine.
    Here(Box<Scheduler>),
    /// In another process: what the worker says is collected and handed out after each batch of events.
    Away(Arc<dyn Outside>, Vec<ToScheduler>),
}

impl Above {
    /// A scheduler whose only worker has so many threads and offers this.
    pub fn here(threads: usize, resources: BTreeMap<String, Milli>) -> Self {
        let mut scheduler = Box::new(Scheduler::new(scheduler::Config::default()));
        let joined = SchedulerEvent::Joined { worker: HERE, about: About { resources, ..About::plain("local", threads as u32) } };
        scheduler.handle(0, joined, &mut Vec::new());
        Self::Here(scheduler)
    }
}

/// The machines.
pub(crate) struct Core {
    pub above: Above,
    pub worker: Worker,
    pub said: Vec<SchedulerAction>,
    pub asked: Vec<WorkerAction>,
    batch: Vec<Event>,
    pub execute: Vec<Arc<Assignment>>,
    pub after: After,
    broken: Option<Failure>,
}

impl Core {
    /// The scheduler of an engine that has one.
    pub fn scheduler(&self) -> &Scheduler {
        match &self.above {
            Above::Here(scheduler) => scheduler,
            Above::Away(..) => panic!("this engine has only a worker"),
        }
    }
}

/// What is done once the lock is free.
#[derive(Default)]
pub(crate) struct After {
    pub garbage: Vec<Garbage>,
    pub ends: Vec<(RunId, Result<(), Failure>)>,
    /// Single keys that ended, by run; a run may stand there several times.
    pub keys: Vec<(RunId, KeyEnds)>,
    pub notes: Vec<(Option<RunId>, String)>,
    /// Tries that are told to stop: who listens is to be told.
    pub interrupted: Vec<Arc<Signal>>,
    pub loops: usize,
    pub errand_threads: usize,
    broken: Option<Failure>,
}

impl After {
    /// A key of this run has ended.
    pub fn key(&mut self, run: RunId, key: Key, outcome: Result<(), Failure>) {
        match self.keys.last_mut() {
            Some((last, ended)) if *last == run => ended.push((key, outcome)),
            _ => self.keys.push((run, vec![(key, outcome)])),
        }
    }
}

/// What an engine is made of.
pub(crate) struct Setup {
    pub options: Options,
    pub machine: worker::Config,
    pub pool: Arc<dyn Pool>,
    pub registry: Arc<Registry>,
    pub folder: Arc<SpillFolder>,
    pub gauge: Option<Gauge>,
    pub outside: Option<Arc<dyn Outside>>,
}

/// Everything that one executor consists of.
pub(crate) struct Engine {
    core: Mutex<Core>,
    /// True while some thread handles events.
    busy: AtomicBool,
    inbox: Mutex<Vec<Event>>,
    waiting: AtomicUsize,
    pub slots: Slots,
    pub store: Store,
    pub errands: Errands,
    pub folder: Arc<SpillFolder>,
    pub runs: Mutex<BTreeMap<RunId, Audience>>,
    /// True while a thread lets the machines know that time passes.
    pub ticking: AtomicBool,
    /// Where the scheduler is, when it is not here.
    pub outside: Option<Arc<dyn Outside>>,
    pub pool: Arc<dyn Pool>,
    /// For loops in place of those whose task waits inside.
    aside: Aside,
    pub registry: Arc<Registry>,
    pub options: Options,
    gauge: Option<Gauge>,
    started: Instant,
    next_run: AtomicU64,
}

impl Engine {
    pub fn new(setup: Setup) -> Arc<Self> {
        let Setup { options, machine, pool, registry, folder, gauge, outside } = setup;
        let threads = machine.threads as usize;
        let most_waiting = if options.most_waiting == 0 { MOST_WAITING } else { options.most_waiting };
        let above = match &outside {
            Some(outside) => Above::Away(outside.clone(), Vec::new()),
            None => Above::here(threads, options.resources.clone()),
        };
        let core = Core {
            above,
            worker: Worker::new(machine),
            said: Vec::new(),
            asked: Vec::new(),
            batch: Vec::new(),
            execute: Vec::new(),
            after: After::default(),
            broken: None,
        };
        Arc::new(Self {
            core: Mutex::new(core),
            busy: AtomicBool::new(false),
            inbox: Mutex::default(),
            waiting: AtomicUsize::new(0),
            slots: Slots::new(threads, most_waiting),
            store: Store::default(),
            errands: Errands::default(),
            folder,
            runs: Mutex::default(),
            ticking: AtomicBool::new(false),
            outside,
            pool,
            aside: Aside::default(),
            registry,
            options,
            gauge,
            started: Instant::now(),
            next_run: AtomicU64::new(1),
        })
    }

    /// An engine with both machines, as the options say.
    pub fn whole(options: Options, pool: Arc<dyn Pool>, registry: Arc<Registry>, folder: Arc<SpillFolder>) -> Arc<Self> {
        let threads = if options.threads == 0 { pool.threads() } else { options.threads }.max(1);
        let machine = worker::Config::new(threads as u32, options.memory_limit);
        Self::new(Setup { options, machine, pool, registry, folder, gauge: Some(Gauge::default()), outside: None })
    }

    /// Cancels all runs that have not ended.
    pub fn cancel_all(self: &Arc<Self>) {
        for audience in self.live_runs() {
            self.cancel(&audience);
        }
    }

    /// Ends as cancelled what has no end of a run.
    pub fn cancel(self: &Arc<Self>, audience: &Audience) {
        if let Some(event) = audience.cancel() {
            self.post(Event::Scheduler(event), Who::Other);
        }
    }

    pub fn now(&self) -> Tick {
        self.started.elapsed().as_micros() as Tick
    }

    pub fn new_run(&self) -> RunId {
        RunId(self.next_run.fetch_add(1, Ordering::Relaxed))
    }

    pub fn busy(&self) -> &AtomicBool {
        &self.busy
    }

    /// Hands an event to its machine: now, or by the thread that holds the machines now.
    pub fn post(self: &Arc<Self>, event: Event, who: Who) {
        {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            inbox.push(event);
            self.waiting.store(inbox.len(), Ordering::Relaxed);
        }
        self.pump(who);
    }

    /// Hands events to the worker's machine, in order.
    pub fn post_all(self: &Arc<Self>, events: impl Iterator<Item = WorkerEvent>) {
        {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            inbox.extend(events.map(Event::Worker));
            self.waiting.store(inbox.len(), Ordering::Relaxed);
        }
        self.pump(Who::Other);
    }

    /// Handles what is in the inbox, unless another thread is at it.
    fn pump(self: &Arc<Self>, who: Who) {
        loop {
            // With the fence below: either this thread gets the lock, or its holder sees the event when it looks again.
            fence(Ordering::SeqCst);
            let mut core = match self.core.try_lock() {
                Ok(core) => core,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.busy.store(true, Ordering::Relaxed);
            self.handle_inbox(&mut core, who);
            self.unlock(core);
            fence(Ordering::SeqCst);
            if self.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }

    /// Looks at the machines.
    pub fn inspect<T>(self: &Arc<Self>, look: impl FnOnce(&Core) -> T) -> T {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = look(&core);
        self.unlock(core);
        self.pump(Who::Other);
        seen
    }

    /// Lets the lock go and does what had to wait for that.
    fn unlock(self: &Arc<Self>, mut core: MutexGuard<'_, Core>) {
        let mut after = std::mem::take(&mut core.after);
        self.busy.store(false, Ordering::Relaxed);
        drop(core);
        for _ in 0..after.loops {
            self.start_loop();
        }
        for _ in 0..after.errand_threads {
            disk::start(self.clone());
        }
        // Whoever is called back from here on is no part of the task that may run in this thread.
        let _apart = NoTask::new();
        signal::tell(std::mem::take(&mut after.interrupted));
        after.garbage.clear();
        for (run, text) in after.notes.drain(..) {
            match run {
                Some(run) => self.with_run(run, |audience| audience.note(text)),
                None => self.note_all(&text),
            }
        }
        for (run, ended) in after.keys.drain(..) {
            self.with_run(run, |audience| audience.keys(ended));
        }
        for (run, outcome) in after.ends.drain(..) {
            self.with_run(run, |audience| audience.end(outcome));
        }
        if let (Some(outside), Some(failure)) = (&self.outside, after.broken) {
            outside.broken(failure);
        }
    }

    pub fn start_loop(self: &Arc<Self>) {
        // While tasks wait, the threads of the pool in which they do would not come to another loop.
        if self.slots.waiting() > 0 && self.start_loop_aside().is_ok() {
            return;
        }
        let engine = self.clone();
        self.pool.spawn(Box::new(move || serve::run_loop(engine)));
    }

    /// Starts a loop in a thread beside the pool. Fails when the system gives none.
    pub fn start_loop_aside(self: &Arc<Self>) -> std::io::Result<()> {
        let engine = self.clone();
        self.aside.spawn(Box::new(move || serve::run_loop(engine)))
    }

    fn with_run(&self, run: RunId, act: impl FnOnce(&Audience)) {
        let audience = self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&run).cloned();
        if let Some(audience) = audience {
            act(&audience);
        }
    }

    /// A remark for everybody.
    pub fn note_all(&self, text: &str) {
        if let Some(outside) = &self.outside {
            outside.warn(text);
        }
        for audience in self.live_runs() {
            audience.note(text.to_owned());
        }
    }

    pub fn has_live_runs(&self) -> bool {
        self.live_runs().iter().any(Audience::is_live)
    }

    pub fn live_runs(&self) -> Vec<Audience> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn handle_inbox(self: &Arc<Self>, core: &mut Core, who: Who) {
        {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *inbox, &mut core.batch);
            self.waiting.store(0, Ordering::Relaxed);
        }
        if core.batch.is_empty() {
            return;
        }
        let now = self.now();
        let mut batch = std::mem::take(&mut core.batch);
        let handled = catch_unwind(AssertUnwindSafe(|| {
            for event in batch.drain(..) {
                if core.broken.is_none() {
                    self.handle(core, now, event);
                }
            }
        }));
        if handled.is_err() && core.broken.is_none() {
            let failure = Failure::internal("the scheduler or the worker found itself in a state that must not be");
            core.broken = Some(failure.clone());
            core.after.broken = Some(failure);
        }
        core.batch = batch;
        if let Some(failure) = core.broken.clone() {
            core.after.ends.extend(self.live_runs().iter().map(|audience| (audience.id(), Err(failure.clone()))));
        }
        if let Above::Away(outside, said) = &mut core.above
            && !said.is_empty()
        {
            outside.say(std::mem::take(said));
        }
        core.after.loops += self.slots.push(&mut core.execute, who == Who::Loop);
    }

    /// Tells the worker how much memory the process uses, when there is a limit and enough time has passed.
    pub fn measure(self: &Arc<Self>, who: Who) {
        let Some(gauge) = self.gauge.as_ref().filter(|_| self.options.memory_limit > 0) else { return };
        let rss = if who == Who::Loop { gauge.measure(self.now()) } else { resident() };
        if let Some(rss) = rss {
            self.post(Event::Worker(WorkerEvent::Measured { rss }), who);
        }
    }
}
